"""The dataset on disk: three Delta Lake tables over Parquet shards, read and written here alone."""

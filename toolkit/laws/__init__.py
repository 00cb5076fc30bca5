"""Laws that several wings use: how rates grow with members and sizes, how a pipeline is bound, what storage benchmarks define."""

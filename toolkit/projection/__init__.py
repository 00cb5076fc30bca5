"""A profile, measurements and a scenario in; demand, supply, bottleneck and plan out."""

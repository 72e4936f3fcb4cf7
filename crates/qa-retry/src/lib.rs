//! A scenario harness that drives a gateway and retries local contention only.

//! How much a caller may ask for: attempts without the token by peer, calls by token, and the size and slowness of a body.
//!
//! A bucket of permits refills with time; a call that finds none is refused typed, with the time to wait. Attempts and
//! calls have buckets of their own, so that somebody who guesses tokens never uses up the calls of who has the token.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest},
    http::{HeaderMap, StatusCode, header},
};
use moorline_taxonomy::{Coordination, Request};

use super::{protocol::MAX_REQUEST, refusal::Refusal};

/// How long a whole body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Attempts without the token from one address: at once, and each second.
const ATTEMPTS: Rate = Rate { burst: 32.0, per_second: 1.0 };
/// Addresses that are remembered; beyond it the calmest are forgotten.
const PEERS: usize = 1024;

/// A burst and what comes after it.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    per_second: f64,
}

/// Permits that refill with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    permits: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { permits: rate.burst, at: now }
    }

    fn refilled(&self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.permits + passed * rate.per_second).min(rate.burst)
    }

    /// Takes a permit, or says after which time there is one.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.permits = self.refilled(rate, now);
        self.at = now;
        if self.permits < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.permits) / rate.per_second));
        }
        self.permits -= 1.0;
        Ok(())
    }
}

/// The buckets of a gateway.
pub(crate) struct Limits {
    /// Calls with the token. One HTTP request or one WebSocket message is a call.
    rate: Rate,
    calls: Mutex<Bucket>,
    attempts: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Limits {
    /// So many calls each second, and twice as many at once.
    pub(crate) fn new(calls_per_second: u32) -> Self {
        let per_second = f64::from(calls_per_second);
        let rate = Rate { burst: 2.0 * per_second, per_second };
        Self {
            rate,
            calls: Mutex::new(Bucket::full(rate, Instant::now())),
            attempts: Mutex::new(HashMap::new()),
        }
    }

    /// Counts a call of somebody who may call; the error says after which time there is room.
    pub(crate) fn call(&self) -> Result<(), Duration> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).take(self.rate, Instant::now())
    }

    /// Counts an attempt of somebody who may not.
    pub(crate) fn attempt(&self, peer: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= PEERS && !attempts.contains_key(&peer) {
            attempts.retain(|_, bucket| bucket.refilled(ATTEMPTS, now) < ATTEMPTS.burst);
            // All of them are at it: this one waits.
            if attempts.len() >= PEERS {
                return Err(Duration::from_secs(1));
            }
        }
        attempts.entry(peer).or_insert_with(|| Bucket::full(ATTEMPTS, now)).take(ATTEMPTS, now)
    }
}

/// What a call that found no room is told.
pub(crate) const TOO_MANY: &str = "too many calls in a short time; nothing was accepted, try again later";

/// The refusal of a caller who asked for too much.
pub(crate) fn too_many(delay: Duration) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, Coordination::LaneTimeout, TOO_MANY).after(delay)
}

/// The whole body of a request, if it is small enough and comes soon enough.
pub(crate) async fn whole(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let too_large = || {
        let why = "the request is larger than 1 MiB; larger things belong into a file that the message names";
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Request::PayloadTooLarge, why)
    };
    let stated =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|stated| stated > MAX_REQUEST as u64) {
        return Err(too_large());
    }
    let mut request = axum::extract::Request::new(body);
    DefaultBodyLimit::max(MAX_REQUEST).apply(&mut request);
    match tokio::time::timeout(BODY_WITHIN, Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(StatusCode::BAD_REQUEST, Request::Format, "the body broke off")),
        Err(_) => {
            let why = "the body did not arrive within 10 seconds; nothing was done";
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, Request::Format, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refuses_beyond_its_burst_and_says_when_it_refills() {
        let rate = Rate { burst: 2.0, per_second: 4.0 };
        let start = Instant::now();
        let mut bucket = Bucket::full(rate, start);
        assert_eq!((bucket.take(rate, start), bucket.take(rate, start)), (Ok(()), Ok(())));
        assert_eq!(bucket.take(rate, start), Err(Duration::from_millis(250)));
        let later = start + Duration::from_millis(250);
        assert_eq!(bucket.take(rate, later), Ok(()));
        assert!(bucket.take(rate, later).is_err());
        // It never holds more than its burst.
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((bucket.take(rate, much_later), bucket.take(rate, much_later)), (Ok(()), Ok(())));
        assert!(bucket.take(rate, much_later).is_err());
    }

    #[test]
    fn the_rate_of_calls_is_the_one_that_was_set() {
        let Limits { rate, calls, .. } = Limits::new(3);
        assert_eq!((rate.per_second, rate.burst), (3.0, 6.0));
        assert_eq!(calls.into_inner().unwrap().permits, 6.0, "twice as many at once");
    }

    #[test]
    fn guessing_is_slowed_per_address_and_costs_no_call() {
        let limits = Limits::new(2000);
        let guesser = IpAddr::from([192, 0, 2, 1]);
        let refused = (0..100).filter(|_| limits.attempt(guesser).is_err()).count();
        assert!(refused >= 60, "{refused}");
        assert!(limits.attempt(IpAddr::from([192, 0, 2, 2])).is_ok());
        assert!(limits.call().is_ok());
        // Many addresses do not grow the memory.
        for number in 0..5000_u32 {
            let _ = limits.attempt(IpAddr::from(number.to_be_bytes()));
        }
        assert!(limits.attempts.lock().unwrap().len() <= PEERS);
    }
}

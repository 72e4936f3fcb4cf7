//! A durable outbox that delivers a finished sub-agent's result to its requester.

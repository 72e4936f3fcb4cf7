//! The program moorline: sessions_send, sessions_spawn, RPC and CLI.

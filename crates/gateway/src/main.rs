//! The program `moorline`. Everything is in the library, so that tests can run the same program with failpoints.

fn main() -> std::process::ExitCode {
    moorline_gateway::main()
}

//! The program `sightline`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = sightline::model::device::restart_with_environment() {
        eprintln!("sightline: cannot start over with quiet threads ({error}); answers are slower beside other load");
    }
    sightline::cli::main()
}

//! [`Measure`]: measurements that are made in a separate process each.

use std::{env, fmt::Debug, process::Command};

use serde::{Serialize, de::DeserializeOwned};

use super::{figures::Figures, who::Who};

/// The first argument of a process that makes one measurement.
const MEASURE: &str = "--measure";

/// One measurement of one area. It is sent to another process, which makes it.
pub trait Measure: Debug + Clone + Serialize + DeserializeOwned {
    /// Measures in this process. A subject that cannot do this has no figures.
    fn run(&self, who: Who) -> Figures;

    /// Measures in a separate process, which is this program again. A measurement that fails, because memory
    /// ran out for example, is reported and has no figures.
    fn measure(&self, who: Who) -> Figures {
        let job = serde_json::to_string(&(self, who)).expect("a job can be serialized");
        let program = env::current_exe().expect("the path of this program is known");
        let output = Command::new(program).arg(MEASURE).arg(&job).output();
        let output = output.expect("this program can be started");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            let why = String::from_utf8_lossy(&output.stderr);
            let why: Vec<&str> = why.lines().take(3).collect();
            eprintln!("{job} failed ({}): {}", output.status, why.join(" "));
            Figures::default()
        })
    }
}

/// Called first by a program that measures: if this process was started to make one measurement, makes it
/// and returns true.
#[expect(clippy::print_stdout, reason = "the parent process reads the figures there")]
pub fn run_if_child<J: Measure>() -> bool {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some(MEASURE) {
        return false;
    }
    let job = arguments.next().expect("the second argument is a job");
    let (job, who): (J, Who) = serde_json::from_str(&job).expect("the second argument is a job");
    println!("{}", serde_json::to_string(&job.run(who)).expect("figures can be serialized"));
    true
}

//! `linarite-bench`: drives any Azure Storage endpoint with a workload and reports rates and latencies.
//!
//! It knows nothing of Linarite and links none of it, so that an emulator or the cloud is measured with the
//! same tool, in the same run if wanted (`--vs`), and so that a mistake of ours cannot hide in code that both
//! sides share. It has to be much cheaper than what it drives, which may have to live on the same two cores:
//! raw HTTP/1.1 connections, one thread, bodies made beforehand, a digest keyed once. Every answer is
//! checked; a server that is fast because it answers nonsense shows as errors and a bad exit code.

mod arguments;
mod client;
mod growth;
mod histogram;
mod pace;
mod random;
mod report;
mod run;
mod sign;
mod subject;
mod workload;

use arguments::{Arguments, HELP};
use report::{Contest, HEAD, ratios};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => return usage(&message),
    };
    let mut subjects = Vec::new();
    for address in &arguments.addresses {
        match address.clone().resolve() {
            Ok(subject) => subjects.push(Arc::new(subject)),
            Err(message) => return usage(&message),
        }
    }
    let mut builder = match arguments.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    match builder.worker_threads(arguments.threads).enable_all().build() {
        Ok(runtime) => runtime.block_on(drive(&arguments, &subjects)),
        Err(error) => usage(&format!("cannot start threads: {error}")),
    }
}

fn usage(message: &str) -> ExitCode {
    eprintln!("linarite-bench: {message}");
    ExitCode::from(2)
}

/// Runs all orders, printing each as it is done; an order that cannot run does not stop the others.
async fn drive(arguments: &Arguments, subjects: &[Arc<subject::Subject>]) -> ExitCode {
    if let (Some(passed), Some(subject)) = (arguments.passed, subjects.first()) {
        return grow(arguments, subject, passed).await;
    }
    let (mut contests, mut failures) = (Vec::new(), Vec::new());
    if !arguments.json {
        println!("{HEAD}");
    }
    for order in &arguments.orders {
        match run::contest(subjects, *order, &arguments.terms).await {
            Ok(contest) => {
                if !arguments.json {
                    print!("{contest}");
                }
                contests.push(contest);
            }
            Err(failure) => {
                let message = format!("{} could not run: {failure}", order.kind.name());
                eprintln!("linarite-bench: {message}");
                failures.push(message);
            }
        }
    }
    if arguments.json {
        println!("{}", document(arguments, subjects, &contests, &failures));
    } else {
        print!("{}", ratios(&contests));
    }
    let clean = failures.is_empty() && contests.iter().all(|contest| contest.errors() == 0);
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures how a queue bears what waits in it and what has passed through it.
async fn grow(arguments: &Arguments, subject: &Arc<subject::Subject>, passed: u64) -> ExitCode {
    match growth::measure(subject, &arguments.orders, &arguments.terms, (passed, arguments.process)).await {
        Ok(growth) => {
            if arguments.json {
                println!("{:#}", serde_json::json!(growth));
            } else {
                print!("{growth}");
            }
            if growth.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("linarite-bench: queue-cycle could not run: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn document(
    arguments: &Arguments,
    subjects: &[Arc<subject::Subject>],
    contests: &[Contest],
    failures: &[String],
) -> String {
    let subjects: Vec<_> =
        subjects.iter().map(|subject| subject.endpoint(subject::Service::Blob).url("")).collect();
    let document = serde_json::json!({
        "seed": arguments.terms.furniture.seed,
        "rate": arguments.terms.rate,
        "prefill": arguments.terms.furniture.prefill,
        "grown": arguments.terms.grown,
        "subjects": subjects,
        "results": contests,
        "failures": failures,
    });
    format!("{document:#}")
}

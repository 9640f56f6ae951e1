use std::collections::HashSet;
use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The figures of one run of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub instructions: u64,
    pub allocations: u64,
}

pub fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().trim_start_matches("valgrind-").to_owned())
}

/// Runs this program with these arguments, and counts its instructions and allocations.
///
/// Both figures are of the same run, without a counting allocator. That would add to the instructions,
/// and would turn each growth in place into an allocation, a copy and a release.
pub fn count(arguments: &[String]) -> io::Result<Counts> {
    let profile = Profile::new();
    let report = run("callgrind", &[profile.option()], arguments)?;
    let instructions = collected(&report).ok_or_else(|| unexpected(&report))?;
    let allocations = allocations(&fs::read_to_string(&profile.path)?);
    Ok(Counts {
        instructions,
        allocations,
    })
}

/// Runs this program with these arguments, and returns how many bytes of its heap are in use at exit.
pub fn bytes_at_exit(arguments: &[String]) -> io::Result<u64> {
    let report = run("memcheck", &["--leak-check=no".to_owned()], arguments)?;
    in_use_at_exit(&report).ok_or_else(|| unexpected(&report))
}

/// Runs this program with these arguments, and returns the output of `callgrind_annotate`.
pub fn annotate(arguments: &[String]) -> io::Result<String> {
    let profile = Profile::new();
    run("callgrind", &[profile.option()], arguments)?;
    let output = Command::new("callgrind_annotate")
        .arg("--auto=no")
        .arg("--threshold=95")
        .arg(&profile.path)
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run(tool: &str, options: &[String], arguments: &[String]) -> io::Result<String> {
    let output = Command::new("valgrind")
        .arg(format!("--tool={tool}"))
        .args(options)
        .arg(env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(report),
        false => Err(unexpected(&report)),
    }
}

fn unexpected(report: &str) -> io::Error {
    io::Error::other(format!("valgrind said:\n{report}"))
}

/// A temporary file for callgrind's profile.
struct Profile {
    path: PathBuf,
}

impl Profile {
    fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-http-retry-benches.{}.{number}", process::id());
        Self {
            path: env::temp_dir().join(name),
        }
    }

    fn option(&self) -> String {
        format!("--callgrind-out-file={}", self.path.display())
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // It does not exist if valgrind failed earlier.
        let _ = fs::remove_file(&self.path);
    }
}

/// Parses the instructions from callgrind's report, as in `==7== Collected : 12345`.
fn collected(report: &str) -> Option<u64> {
    let (_, after) = report.split_once("Collected :")?;
    after.split_whitespace().next()?.parse().ok()
}

/// Parses the bytes from memcheck's report, as in `==7==     in use at exit: 1,234 bytes in 5 blocks`.
fn in_use_at_exit(report: &str) -> Option<u64> {
    let (_, after) = report.split_once("in use at exit:")?;
    let figure = after.split_whitespace().next()?;
    figure.replace(',', "").parse().ok()
}

/// Counts the allocations in a profile.
///
/// A call is two lines, `cfn=(id) name` and `calls=count position`. The name of an id is given only
/// where the id occurs for the first time.
fn allocations(profile: &str) -> u64 {
    const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "memalign"];
    let mut ids = HashSet::new();
    let mut is_allocator = false;
    let mut total = 0;
    for line in profile.lines() {
        if let Some((is_callee, function)) = function(line) {
            let (id, name) = function.split_once(' ').unwrap_or((function, ""));
            if ALLOCATORS.contains(&name) {
                ids.insert(id);
            }
            is_allocator = is_callee && ids.contains(id);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count = calls.split(' ').next().and_then(|count| count.parse().ok());
            total += count.filter(|_| is_allocator).unwrap_or(0);
        }
    }
    total
}

/// Parses a line that names a function. Returns whether it is the function that is called, and its id
/// and name.
fn function(line: &str) -> Option<(bool, &str)> {
    let caller = line.strip_prefix("fn=").map(|function| (false, function));
    caller.or_else(|| line.strip_prefix("cfn=").map(|function| (true, function)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_are_found_in_a_report() {
        let report = "==7== \n==7== Events    : Ir\n==7== Collected : 12345\n==7== \n";
        assert_eq!(collected(report), Some(12_345));
        assert_eq!(collected("==7== killed"), None);
    }

    #[test]
    fn the_bytes_are_found_in_a_report() {
        let report = "==7==     in use at exit: 1,234,567 bytes in 89 blocks\n";
        assert_eq!(in_use_at_exit(report), Some(1_234_567));
        assert_eq!(in_use_at_exit(""), None);
    }

    #[test]
    fn calls_of_allocators_are_added_up_whatever_names_them() {
        let profile = "fn=(1) main\n16 3\n\
            cfn=(2) malloc\ncalls=5 0\n16 400\n\
            cfn=(3) free\ncalls=7 0\n16 400\n\
            fn=(4) grow\n\
            cob=(1)\ncfi=(2)\ncfn=(2)\ncalls=3 0\n1 2\n\
            cfn=(5) realloc\ncalls=11 0\n1 2\n\
            fn=(5)\n1 2\ncfn=(6) _int_realloc\ncalls=11 0\n1 2\n";
        assert_eq!(allocations(profile), 5 + 3 + 11);
    }
}

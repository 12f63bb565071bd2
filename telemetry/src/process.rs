//! What the system says of this process. The collector of the `prometheus` crate rounds CPU time to
//! whole seconds, too coarse for a process whose cost we compare; so the numbers are read here.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

/// One reading. What the system does not tell is absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// CPU time, user and system.
    pub cpu_seconds: Option<f64>,
    /// Memory in RAM.
    pub resident_bytes: Option<u64>,
    /// Address space.
    pub virtual_bytes: Option<u64>,
    /// File descriptors open.
    pub open_fds: Option<u64>,
    /// And how many may be.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl Process {
    /// Reads now. Costs some tens of microseconds.
    pub fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(),
            resident_bytes: field(&status, "VmRSS:").map(kibibytes),
            virtual_bytes: field(&status, "VmSize:").map(kibibytes),
            open_fds: std::fs::read_dir("/proc/self/fd")
                .ok()
                // The directory itself is open while it is read.
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            max_fds: getrlimit(Resource::RLIMIT_NOFILE)
                .ok()
                .map(|(soft, _)| soft),
            threads: field(&status, "Threads:"),
        }
    }
}

/// Memory of this process in RAM, if the system tells.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmRSS:").map(kibibytes)
}

/// The limit of memory of the control group that this process is in, if there is one.
pub fn memory_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.map(|path| format!("/sys/fs/cgroup{}/memory.max", path.trim_end_matches('/')));
    let known = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let files = own.into_iter().chain(known.map(str::to_owned));
    files
        .filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
        // Version 1 writes "none" as a number that no machine has.
        .find(|limit| *limit < 1 << 60)
}

/// Seconds since 1970, for the start time of the process.
pub(crate) fn seconds_since_epoch(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(n: u64) -> u64 {
    n.saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_status_file_are_found_by_name() {
        let status = "Name:\twindrose\nVmSize:\t  2048 kB\nVmRSS:\t    12 kB\nThreads:\t4\n";
        assert_eq!(field(status, "VmRSS:").map(kibibytes), Some(12_288));
        assert_eq!(field(status, "Threads:"), Some(4));
        assert_eq!(field(status, "VmSwap:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_everything() {
        let process = Process::read();
        assert!(process.cpu_seconds.is_some());
        assert!(process.resident_bytes.is_some_and(|n| n > 100_000));
        assert!(process.open_fds.is_some_and(|n| n >= 3));
        assert!(process.max_fds.is_some_and(|n| n > 0));
        assert!(process.threads.is_some_and(|n| n >= 1));
    }
}

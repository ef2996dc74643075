//! What a process tree has used: CPU time and memory, as /proc tells it.

use std::fs;

/// CPU time in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuTime {
    /// Exact: the scheduler's own count.
    pub total: f64,
    /// User mode, in clock ticks.
    pub user: f64,
    /// Kernel mode, in clock ticks.
    pub system: f64,
}

impl CpuTime {
    /// What a process and its descendants have used so far.
    pub fn of_tree(pid: u32) -> CpuTime {
        let mut sum = CpuTime::default();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        for member in process_tree(pid) {
            let stat = fs::read_to_string(format!("/proc/{member}/stat")).unwrap_or_default();
            if let Some((user, system)) = parse_stat(&stat) {
                sum.user += user as f64 / ticks;
                sum.system += system as f64 / ticks;
            }
            for task in tasks(member) {
                let path = format!("/proc/{member}/task/{task}/schedstat");
                let text = fs::read_to_string(path).unwrap_or_default();
                sum.total += parse_schedstat(&text).unwrap_or(0) as f64 / 1e9;
            }
        }
        sum
    }

    /// What has been used since an earlier reading.
    pub fn since(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            total: self.total - earlier.total,
            user: self.user - earlier.user,
            system: self.system - earlier.system,
        }
    }

    /// The share of user mode, as exact as ticks allow.
    pub fn user_share(self) -> f64 {
        let ticks = self.user + self.system;
        if ticks > 0.0 { self.user / ticks } else { 0.0 }
    }
}

/// Resident memory of a process tree in MiB; pages that its processes share count for each.
pub fn resident_mb(pid: u32) -> f64 {
    let resident = |pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        parse_resident_kib(&status).unwrap_or(0)
    };
    process_tree(pid).into_iter().map(resident).sum::<u64>() as f64 / 1024.0
}

/// A process and its descendants.
pub fn process_tree(pid: u32) -> Vec<u32> {
    let mut tree = vec![pid];
    let mut next = 0;
    while let Some(&pid) = tree.get(next) {
        for task in tasks(pid) {
            let path = format!("/proc/{pid}/task/{task}/children");
            let children = fs::read_to_string(path).unwrap_or_default();
            tree.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        next += 1;
    }
    tree
}

/// The threads of a process; none if it has ended.
pub fn tasks(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The run time in ns of a schedstat file (proc(5): time on the CPU, time waiting, slices).
fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// User and system time in ticks of a stat file: fields 14 and 15. The second field, the name in
/// parentheses, may itself hold spaces and parentheses.
fn parse_stat(text: &str) -> Option<(u64, u64)> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// VmRSS of a status file in KiB.
fn parse_resident_kib(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat() {
        assert_eq!(parse_schedstat("1523456789 2345 67\n"), Some(1_523_456_789));
        assert_eq!(parse_schedstat(""), None);
        assert_eq!(parse_schedstat("- 1 2"), None);
    }

    #[test]
    fn stat() {
        let line = "4242 (a ) b) S 1 4242 4242 0 -1 4194560 900 0 0 0 37 12 0 0 20 0 3 0 12345";
        assert_eq!(parse_stat(line), Some((37, 12)));
        assert_eq!(parse_stat("4242 (short) S 1"), None);
    }

    #[test]
    fn resident() {
        let status = "Name:\tx\nVmPeak:\t  90 kB\nVmRSS:\t    6543 kB\nThreads:\t1\n";
        assert_eq!(parse_resident_kib(status), Some(6543));
        assert_eq!(parse_resident_kib("Name:\tzombie\n"), None);
    }

    #[test]
    fn this_process() {
        let pid = std::process::id();
        assert!(process_tree(pid).contains(&pid));
        assert!(CpuTime::of_tree(pid).total > 0.0);
        assert!(resident_mb(pid) > 0.1);
    }
}

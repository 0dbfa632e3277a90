//! What of the machine is left: main memory, cores.

use std::fs;

/// Bytes of main memory that can still be had, by the kernel's own reckoning and by the limit of the container; `None` where neither is told.
#[must_use]
pub fn memory_left() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let system = read("/proc/meminfo").and_then(|text| available(&text));
    let group = || {
        let limit = read("/sys/fs/cgroup/memory.max")?.trim().parse().ok()?;
        let used = read("/sys/fs/cgroup/memory.current")?.trim().parse().ok()?;
        Some(left_of(limit, used, &read("/sys/fs/cgroup/memory.stat").unwrap_or_default()))
    };
    system.into_iter().chain(group()).min()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kb: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kb * 1024)
}

/// What files keep in memory is given back when it is needed.
fn left_of(limit: u64, used: u64, stat: &str) -> u64 {
    let files = stat.lines().find_map(|l| l.strip_prefix("inactive_file "));
    let files: u64 = files.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
    limit.saturating_sub(used.saturating_sub(files))
}

/// Threads to compute with: those that are wanted, but no more than there are cores, and what to say when they are fewer than wanted.
#[must_use]
pub fn threads(wanted: Option<usize>) -> (usize, Option<String>) {
    capped(wanted, std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// Threads for all that waits for the network: half the cores. The models compute on all of them, and a task that is woken on a second thread costs a wake-up of that, too: of a call's wake-ups
/// those were two of five.
#[must_use]
pub fn workers() -> usize {
    (threads(None).0 / 2).max(1)
}

fn capped(wanted: Option<usize>, cores: usize) -> (usize, Option<String>) {
    let Some(wanted) = wanted.filter(|n| *n > cores) else { return (wanted.unwrap_or(cores).max(1), None) };
    let text = format!(
        "engine.threads = {wanted} is more than the {cores} cores that this process may use: {cores} are used, since threads that wait for each other's core make every step slower"
    );
    (cores.max(1), Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let meminfo = "MemTotal:       24607012 kB\nMemFree:         1 kB\nMemAvailable:   22000000 kB\n";
        assert_eq!(available(meminfo), Some(22_000_000 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert_eq!(left_of(1_000, 900, "anon 5\ninactive_file 300\n"), 400, "a cache of files is no use of memory");
        assert_eq!(left_of(1_000, 2_000, "nonsense"), 0);
    }

    #[test]
    fn more_threads_than_cores_are_cut_and_told() {
        assert_eq!(capped(None, 2), (2, None));
        assert_eq!(capped(Some(1), 2), (1, None));
        assert_eq!(capped(Some(2), 2), (2, None));
        let (used, told) = capped(Some(64), 2);
        assert_eq!(used, 2);
        assert!(told.is_some_and(|t| t.contains("engine.threads = 64") && t.contains("2 cores")));
    }
}

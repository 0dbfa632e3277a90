//! Processor, memory, disk, GPU, ports.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::Check;
use crate::cli::progress::human;
use crate::config::{Config, Device};
use crate::model::kernels::Level;
use crate::weights::{Manifest, Store, free_bytes};

/// What the default models and two conversations take, measured as resident memory, with room to spare.
const MEMORY_BYTES: u64 = 2_000_000_000;
/// UDP ports that are tried; a whole range would take long and tell no more.
const UDP_PROBES: u16 = 8;

pub(super) fn checks(config: &Config) -> Vec<Check> {
    vec![
        cpu(Level::best(), crate::app::threads(None).0, crate::app::threads(config.engine.threads)),
        memory(crate::app::memory_left()),
        disk(config),
        gpu(config.engine.device),
        http_port(config.server.bind),
        if config.ingest.shared_port { media_port(config) } else { udp_ports(config) },
    ]
}

/// Asks the processor itself, as the kernels do when they are chosen.
fn cpu(level: Level, cores: usize, (used, told): (usize, Option<String>)) -> Check {
    let limit =
        if used < cores { format!(", of which perception, speech and the voice use {used}") } else { String::new() };
    let found = format!("{cores} cores{limit}, {} kernels", level.name());
    if cfg!(target_arch = "x86_64") && level == Level::scalar() {
        return Check::warn(
            "processor",
            found,
            "it has no AVX2: answers are many times slower; use a machine from 2015 or later",
        );
    }
    if let Some(told) = told {
        return Check::warn("processor", found, told);
    }
    Check::good("processor", found)
}

fn memory(left: Option<u64>) -> Check {
    match left {
        None => Check::warn("memory", "the system does not say", "about 2 GB must be free"),
        Some(free) if free < MEMORY_BYTES => Check::warn(
            "memory",
            format!("{} free", human(free)),
            format!(
                "the default models want {}: stop something, or choose `models.llm = \"smollm2-135m-instruct\"`",
                human(MEMORY_BYTES)
            ),
        ),
        Some(free) => Check::good("memory", format!("{} free", human(free))),
    }
}

fn disk(config: &Config) -> Check {
    let dir = &config.models.dir;
    let store = Store::new(dir);
    let models = Manifest::of(dir).map(|m| m.models).unwrap_or_default();
    let wanted = models.iter().filter(|m| m.default && !store.inspect(m).is_ready());
    let needed: u64 = wanted.flat_map(|m| &m.artefacts).map(|a| 2 * a.size).sum();
    match free_bytes(dir) {
        None => Check::warn("disk", format!("cannot tell how much is free under {}", dir.display()), "look with df"),
        Some(free) if free < needed => Check::bad(
            "disk",
            format!(
                "{} free under {}, {} needed to fetch the default models",
                human(free),
                dir.display(),
                human(needed)
            ),
            "free some, or set `models.dir` to a folder on another disk",
        ),
        Some(free) => Check::good("disk", format!("{} free under {}", human(free), dir.display())),
    }
}

fn gpu(device: Device) -> Check {
    let nvidia = Path::new("/proc/driver/nvidia/version").exists();
    let (cuda, metal) = (cfg!(feature = "cuda"), cfg!(feature = "metal"));
    match (device, nvidia, cuda) {
        (Device::Cuda, _, false) => Check::bad(
            "gpu",
            "`engine.device = \"cuda\"`, and this build has no CUDA",
            "build with `cargo build --release --features cuda`, or set `engine.device = \"auto\"`",
        ),
        (Device::Cuda, false, true) => {
            Check::bad("gpu", "no NVIDIA driver is loaded", "install it, or set `engine.device = \"cpu\"`")
        }
        (Device::Metal, ..) if !metal => Check::bad(
            "gpu",
            "`engine.device = \"metal\"`, and this build has no Metal",
            "build with `cargo build --release --features metal` on a Mac, or set `engine.device = \"auto\"`",
        ),
        (Device::Auto, true, false) => Check::warn(
            "gpu",
            "there is an NVIDIA GPU, and this build cannot use it",
            "build with `cargo build --release --features cuda`",
        ),
        (Device::Auto | Device::Cuda, true, true) => Check::good("gpu", "NVIDIA, used"),
        (Device::Metal, ..) => Check::good("gpu", "Metal, used"),
        _ => Check::good("gpu", "none used: the models run on the CPU"),
    }
}

fn http_port(bind: SocketAddr) -> Check {
    match TcpListener::bind(bind) {
        Ok(_) => Check::good("http port", format!("{bind} is free")),
        Err(e) if e.kind() == ErrorKind::AddrInUse => Check::bad(
            "http port",
            format!("{bind} is in use"),
            format!(
                "stop what listens there (`ss -ltnp 'sport = :{}'` names it), or choose another with --bind",
                bind.port()
            ),
        ),
        Err(e) => Check::bad(
            "http port",
            format!("{bind}: {e}"),
            "choose an address of this machine and a port above 1023 with --bind",
        ),
    }
}

/// The port that all calls share, found as the server finds it.
fn media_port(config: &Config) -> Check {
    let ((first, last), tcp) = (config.ingest.udp_ports, config.ingest.tcp);
    let ip = config.ingest.bind_ips.first().copied().unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let free = |port: &u16| UdpSocket::bind((ip, *port)).is_ok() && (!tcp || TcpListener::bind((ip, *port)).is_ok());
    let protocols = if tcp { "UDP and TCP" } else { "UDP" };
    match (first..=last).find(free) {
        Some(port) if port == first => {
            Check::good("media port", format!("{port} on {ip} is free: open it for {protocols}"))
        }
        Some(port) => Check::warn(
            "media port",
            format!("{first} on {ip} is in use (perhaps by a server that runs), {port} would be taken"),
            format!("open {port} for {protocols}, or stop what has {first}"),
        ),
        None => Check::bad(
            "media port",
            format!("no port from {first} to {last} on {ip} is free for {protocols}"),
            "choose another range with `ingest.udp_ports`, and addresses of this machine with `ingest.bind_ips`",
        ),
    }
}

fn udp_ports(config: &Config) -> Check {
    let (first, last) = config.ingest.udp_ports;
    let ip = config.ingest.bind_ips.first().copied().unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let tried: Vec<u16> = (first..=last).take(usize::from(UDP_PROBES)).collect();
    let taken: Vec<_> = tried.iter().filter(|p| UdpSocket::bind((ip, **p)).is_err()).collect();
    let range = format!("{first}-{last} on {ip}");
    if taken.is_empty() {
        Check::good("udp ports", format!("{range}: the first {} are free", tried.len()))
    } else if taken.len() < tried.len() {
        Check::warn(
            "udp ports",
            format!("{range}: {} of the first {} are in use", taken.len(), tried.len()),
            "they are skipped; widen `ingest.udp_ports` if calls are refused",
        )
    } else {
        Check::bad(
            "udp ports",
            format!("{range}: none of the first {} can be bound", tried.len()),
            "choose another range with `ingest.udp_ports`, and addresses of this machine with `ingest.bind_ips`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::{Level, cpu, http_port, memory};

    #[test]
    fn a_port_that_somebody_has_is_named_with_a_way_out() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let check = http_port(taken.local_addr().unwrap());
        assert_eq!(check.verdict, Verdict::Bad);
        assert!(check.found.contains("in use") && check.fix.contains("--bind"), "{check:?}");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_processor_without_avx2_is_told_what_to_do() {
        let check = cpu(Level::scalar(), 2, (2, None));
        assert!(check.verdict == Verdict::Warn && check.fix.contains("AVX2"), "{check:?}");
        let fast = Level::all().into_iter().find(|l| *l != Level::scalar());
        assert!(fast.is_none_or(|l| cpu(l, 2, (2, None)).verdict == Verdict::Good));
    }

    #[test]
    fn fewer_threads_than_cores_are_told_and_more_are_a_warning() {
        let level = Level::best();
        assert!(cpu(level, 8, (3, None)).found.contains("8 cores, of which perception, speech and the voice use 3"));
        let more = cpu(level, 2, (2, Some("engine.threads = 64 is more".to_owned())));
        assert!(more.verdict == Verdict::Warn && !more.found.contains("of which"), "{more:?}");
    }

    #[test]
    fn little_memory_is_a_warning() {
        assert_eq!(memory(Some(400 << 20)).verdict, Verdict::Warn);
        assert_eq!(memory(Some(8 << 30)).verdict, Verdict::Good);
    }
}

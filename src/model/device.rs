//! Which device the models run on.
//!
//! Floor 2. In: a configured choice. Out: a candle device, or a clear error when it is not there.

use candle_core::Device;
use thiserror::Error;

use crate::base::ErrorClass;

/// A device asked for in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The processor: always there.
    #[default]
    Cpu,
    /// The CUDA GPU of this index. Needs a build with the `cuda` feature.
    Cuda(usize),
    /// The Metal GPU of this index. Needs a build with the `metal` feature.
    Metal(usize),
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// The text names no device.
    #[error("unknown device {0:?}: use cpu, cuda, cuda:N, metal or metal:N")]
    Unknown(String),
    /// This binary was built without it.
    #[error("this binary was built without {0}: build with --features {0}, or set device = \"cpu\"")]
    NotBuilt(&'static str),
    /// The device could not be opened.
    #[error("{device} cannot be opened: {reason}; check the driver, or set device = \"cpu\"")]
    Missing {
        /// What was asked for.
        device: String,
        /// The driver's words.
        reason: String,
    },
}

impl DeviceError {
    /// How an edge should treat it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unknown(_) => ErrorClass::Invalid,
            Self::NotBuilt(_) | Self::Missing { .. } => ErrorClass::Unavailable,
        }
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_owned());
        let (kind, index) = text.split_once(':').unwrap_or((text, "0"));
        let index = index.parse().map_err(|_| unknown())?;
        match kind {
            "cpu" if index == 0 => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(index)),
            "metal" => Ok(Self::Metal(index)),
            _ => Err(unknown()),
        }
    }
}

impl DeviceChoice {
    /// The first GPU that this build can use and that can be opened, else the processor.
    #[must_use]
    pub fn best() -> Self {
        let gpus = [(cfg!(feature = "cuda"), Self::Cuda(0)), (cfg!(feature = "metal"), Self::Metal(0))];
        let usable = |gpu: Self| match gpu.open() {
            Ok(_) => true,
            Err(reason) => {
                tracing::warn!(%reason, "this build can use a GPU, and there is none: the processor is used");
                false
            }
        };
        gpus.into_iter().filter(|(built, _)| *built).map(|(_, gpu)| gpu).find(|gpu| usable(*gpu)).unwrap_or_default()
    }

    /// Opens the device.
    pub(in crate::model) fn open(self) -> Result<Device, DeviceError> {
        let missing =
            |device: String| move |e: candle_core::Error| DeviceError::Missing { device, reason: e.to_string() };
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(DeviceError::NotBuilt("cuda")),
            Self::Metal(_) if !cfg!(feature = "metal") => Err(DeviceError::NotBuilt("metal")),
            Self::Cuda(i) => Device::new_cuda(i).map_err(missing(format!("cuda:{i}"))),
            Self::Metal(i) => Device::new_metal(i).map_err(missing(format!("metal:{i}"))),
        }
    }
}

/// Threads to compute with: `RAYON_NUM_THREADS` when set, else one per physical core. Read once.
#[must_use]
pub fn threads() -> usize {
    candle_core::utils::get_num_threads()
}

/// The variable, and the value, that keep candle from using its own threads for quantized products.
///
/// Those meet at a spinning barrier after every product, about a hundred times per token. On a quiet machine that is fine; beside other work
/// each barrier waits for a thread that has no core, burning the core that it has: measured with 13 busy threads on two cores, SmolLM2-135M
/// decodes 2 tokens per second with candle's threads and 21 with one thread. The language model has threads of its own (`kernels/team.rs`); this is for
/// whatever else candle multiplies.
pub const ENVIRONMENT: (&str, &str) = ("CANDLE_NUM_THREADS", "1");

/// Starts this program over with [`ENVIRONMENT`], unless the variable is set to anything already. candle reads it once and a running process may not
/// change its environment safely. Call it first in `main`, before any thread. Does not return when it starts over; returns why when it cannot, and
/// then all works, only slower beside other load.
///
/// # Errors
/// The program cannot be found or started.
pub fn restart_with_environment() -> std::io::Result<()> {
    if std::env::var_os(ENVIRONMENT.0).is_some() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new(std::env::current_exe()?);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        Err(again.args(arguments).env(ENVIRONMENT.0, ENVIRONMENT.1).exec())
    }
    #[cfg(not(unix))]
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DeviceChoice, DeviceError};

    #[test]
    fn device_names_are_read_and_bad_ones_are_named() {
        assert_eq!("cuda:1".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(1));
        assert_eq!("cpu".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cpu);
        for bad in ["gpu", "cuda:x", "cpu:1", ""] {
            assert!(matches!(bad.parse::<DeviceChoice>(), Err(DeviceError::Unknown(t)) if t == bad));
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_gpu_this_build_lacks_is_refused_with_the_feature_to_build() {
        let e = DeviceChoice::Cuda(0).open().unwrap_err();
        assert!(e.to_string().contains("--features cuda"));
    }
}

//! What this processor can do.
//!
//! A `Level` can only be had by asking the processor, so whoever holds one may run its instructions.

use std::sync::OnceLock;

/// Which kernels to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(pub(super) Kind);

/// The kinds, slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Plain Rust: every processor, and the measure of the others.
    Scalar,
    /// AVX2, FMA, F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Those and AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 F, BW, VL, VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The slowest, which is always there.
    #[must_use]
    pub const fn scalar() -> Self {
        Self(Kind::Scalar)
    }

    /// All that this processor has, slowest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self(Kind::Scalar)];
        #[cfg(target_arch = "x86_64")]
        {
            let two =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            if two {
                all.push(Self(Kind::Avx2));
            }
            if two && is_x86_feature_detected!("avxvnni") {
                all.push(Self(Kind::AvxVnni));
            }
            if two && wide {
                all.push(Self(Kind::Avx512));
            }
        }
        all
    }

    /// The fastest.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Self::all().pop().unwrap_or(Self::scalar()))
    }

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512-vnni",
        }
    }
}

/// Compiles a function of plain Rust once for each level: `by_level!(fn name(level, a: A, b: B) = body);` where `body::<FMA>(a, b)` is
/// `#[inline(always)]`. `FMA` says whether a fused multiply-add is one instruction.
macro_rules! by_level {
    ($(#[$meta:meta])* $vis:vis fn $name:ident(level, $($arg:ident: $type:ty),*) $(-> $out:ty)? = $body:ident) => {
        $(#[$meta])*
        $vis fn $name(level: crate::model::kernels::Level, $($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn two($($arg: $type),*) $(-> $out)? {
                $body::<true>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
            fn wide($($arg: $type),*) $(-> $out)? {
                $body::<true>($($arg),*)
            }
            match level.0 {
                crate::model::kernels::level::Kind::Scalar => $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*),
                // SAFETY: a level is only had from a processor that has its instructions.
                #[cfg(target_arch = "x86_64")]
                crate::model::kernels::level::Kind::Avx2 | crate::model::kernels::level::Kind::AvxVnni => unsafe { two($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                crate::model::kernels::level::Kind::Avx512 => unsafe { wide($($arg),*) },
            }
        }
    };
}
pub(super) use by_level;

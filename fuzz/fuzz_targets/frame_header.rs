//! Picture sizes out of codec headers, before a decoder sees them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_fuzz::base::Codec;
use sightline_fuzz::decode::announced_size;

fuzz_target!(|data: &[u8]| {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus] {
        let _ = announced_size(codec, data);
    }
});

//! The GStreamer elements that a graph may use, and where each comes from on Debian 12.

/// One allowed element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    /// Factory name.
    pub(super) name: &'static str,
    /// The GStreamer plugin that has it.
    pub(super) plugin: &'static str,
    /// The Debian package that has the plugin.
    pub(super) package: &'static str,
}

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const LIBAV: &str = "gstreamer1.0-libav";
const CORE: &str = "libgstreamer1.0-0";

const fn of(name: &'static str, plugin: &'static str, package: &'static str) -> Allowed {
    Allowed { name, plugin, package }
}

/// Every element that a graph may name. Nothing here reaches the network; `filesrc` is for `file.gst` alone.
/// Packages are those of Debian 12 (`dpkg -S /usr/lib/*/gstreamer-1.0/libgstPLUGIN.so`), except where noted.
pub(super) const ALLOWED: &[Allowed] = &[
    of("appsrc", "app", BASE),
    of("appsink", "app", BASE),
    of("capsfilter", "coreelements", CORE),
    of("queue", "coreelements", CORE),
    of("filesrc", "coreelements", CORE),
    of("decodebin", "playback", BASE),
    of("videoconvert", "videoconvertscale", BASE),
    of("videoscale", "videoconvertscale", BASE),
    of("videoconvertscale", "videoconvertscale", BASE),
    of("audioconvert", "audioconvert", BASE),
    of("audioresample", "audioresample", BASE),
    of("opusdec", "opus", BASE),
    of("opusenc", "opus", BASE),
    of("vp8dec", "vpx", GOOD),
    of("vp9dec", "vpx", GOOD),
    of("vp9parse", "videoparsersbad", BAD),
    of("h264parse", "videoparsersbad", BAD),
    of("av1parse", "videoparsersbad", BAD),
    of("openh264dec", "openh264", BAD),
    of("av1dec", "aom", BAD),
    of("avdec_h264", "libav", LIBAV),
    of("dav1ddec", "dav1d", "gstreamer1.0-plugins-rs (Debian 13 or later)"),
];

/// The row of element `name`, if it is allowed.
pub(super) fn allowed(name: &str) -> Option<&'static Allowed> {
    ALLOWED.iter().find(|a| a.name == name)
}

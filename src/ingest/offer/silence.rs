//! Clients are asked to send next to nothing while there is silence.

/// The answer with `usedtx=1` among the parameters of Opus (RFC 7587 §6.1: the receiver prefers discontinuous transmission), whatever the client says of itself.
/// Browsers do as they are asked; who does not goes on as it would, which is decoded all the same.
pub fn with_silence_left_out(answer: &str) -> String {
    let opus: Vec<&str> = answer.lines().filter_map(opus_of).collect();
    let described: Vec<&str> = answer.lines().filter_map(parameters_of).map(|(number, _)| number).collect();
    let mut sdp = String::with_capacity(answer.len() + 64);
    for line in answer.lines() {
        match parameters_of(line).filter(|(number, _)| opus.contains(number)) {
            Some((number, all)) => {
                let others = all.split(';').map(str::trim).filter(|p| !p.is_empty() && !p.starts_with("usedtx="));
                let all = others.chain(["usedtx=1"]).collect::<Vec<_>>().join(";");
                sdp.push_str(&format!("a=fmtp:{number} {all}"));
            }
            None => sdp.push_str(line),
        }
        sdp.push_str("\r\n");
        if let Some(number) = opus_of(line).filter(|number| !described.contains(number)) {
            sdp.push_str(&format!("a=fmtp:{number} usedtx=1\r\n"));
        }
    }
    sdp
}

/// The payload type that a line says is Opus.
fn opus_of(line: &str) -> Option<&str> {
    let (number, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
    name.get(..5).is_some_and(|n| n.eq_ignore_ascii_case("opus/")).then_some(number)
}

/// The payload type whose parameters a line has, and those.
fn parameters_of(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("a=fmtp:")?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::with_silence_left_out;

    #[test]
    fn of_sound_and_nothing_else_silence_is_to_be_left_out() {
        let answer = |fmtp: &str| {
            format!(
                "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n{fmtp}a=mid:0\r\n\
                 m=video 9 UDP/TLS/RTP/SAVPF 98\r\na=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\n"
            )
        };
        let asked = |fmtp: &str| with_silence_left_out(&answer(fmtp));
        let with = answer("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n");
        assert_eq!(asked("a=fmtp:111 minptime=10;useinbandfec=1\r\n"), with);
        assert_eq!(asked("a=fmtp:111 minptime=10; usedtx=0;useinbandfec=1\r\n"), with);
        assert_eq!(with_silence_left_out(&with), with, "once");
        assert_eq!(asked(""), answer("a=fmtp:111 usedtx=1\r\n"));
        let none = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=rtpmap:broken\r\na=fmtp:111\r\n";
        assert_eq!(with_silence_left_out(none), none);
    }
}

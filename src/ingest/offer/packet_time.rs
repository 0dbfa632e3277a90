//! How much sound a client is asked to put into one packet.

/// What one of our buffers holds: of shorter packets two are waited for anyway, and each costs both ends a wake-up, a header and an encryption.
const PACKET_MS: u32 = 40;

/// The answer with `a=ptime` in every section of sound (RFC 8866 §6.4), unless the offer says that such packets would be too long (`a=maxptime`).
/// Browsers of the Chromium kind do as they are asked; who does not sends what it likes, which is decoded all the same.
pub fn with_packet_time(answer: &str, offer: &str) -> String {
    let most = offer.lines().filter_map(|l| l.strip_prefix("a=maxptime:")).filter_map(|v| v.trim().parse::<u32>().ok());
    if most.min().is_some_and(|most| most < PACKET_MS) {
        return answer.to_owned();
    }
    let (mut sdp, mut sound) = (String::with_capacity(answer.len() + 32), false);
    for line in answer.lines() {
        if line.starts_with("m=") {
            end(&mut sdp, sound);
            sound = line.starts_with("m=audio");
        }
        sound &= !line.starts_with("a=ptime:");
        sdp.push_str(line);
        sdp.push_str("\r\n");
    }
    end(&mut sdp, sound);
    sdp
}

/// Ends a section.
fn end(sdp: &mut String, sound: bool) {
    if sound {
        sdp.push_str(&format!("a=ptime:{PACKET_MS}\r\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::with_packet_time;

    const ANSWER: &str =
        "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";

    #[test]
    fn sound_and_nothing_else_is_asked_for_in_longer_packets() {
        let asked = with_packet_time(ANSWER, "m=audio 9 x 111\r\na=maxptime:60\r\n");
        assert_eq!(asked, ANSWER.replace("a=mid:0\r\n", "a=mid:0\r\na=ptime:40\r\n"));
        assert_eq!(with_packet_time(&asked, ""), asked, "once");
        let last = "v=0\r\nm=audio 9 x 0\r\n";
        assert_eq!(with_packet_time(last, ""), format!("{last}a=ptime:40\r\n"));
    }

    #[test]
    fn who_cannot_is_not_asked() {
        assert_eq!(with_packet_time(ANSWER, "m=audio 9 x 111\r\na=maxptime:20\r\n"), ANSWER);
    }
}

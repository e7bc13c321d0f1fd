//! Records to send.

/// Cuts content into records: lines of text, or 32 bytes of anything else.
pub fn split(content: &[u8]) -> Vec<&[u8]> {
    if content.contains(&0) {
        content.chunks(32).collect()
    } else {
        content.split_inclusive(|&byte| byte == b'\n').collect()
    }
}

/// Bytes of a made-up record.
pub const RECORD: usize = 20;

/// Made-up records of a weather station, 20 bytes each: a clock, a few slow
/// walks in fixed point, and noise in the last digit.
pub fn records(count: u32) -> Vec<u8> {
    let mut seed = 0x2545_F491u32;
    let mut random = |range: u32| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed % range
    };
    let (mut temperature, mut pressure, mut battery) = (2150i32, 101_325i32, 3710i32);
    let mut content = Vec::new();
    for i in 0..count {
        temperature += random(11) as i32 - 5;
        pressure += random(5) as i32 - 2;
        battery -= i32::from(random(40) == 0);
        content.extend_from_slice(&(1_760_000_000 + i * 60).to_le_bytes());
        content.extend_from_slice(&temperature.to_le_bytes());
        content.extend_from_slice(&pressure.to_le_bytes());
        content.extend_from_slice(&(battery as u16).to_le_bytes());
        content.extend_from_slice(&(480 + random(8) as u16).to_le_bytes());
        content.extend_from_slice(&[u8::from(temperature > 2200), 0, 0, 17]);
    }
    content
}

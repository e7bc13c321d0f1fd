//! Dictionaries by the command: --train, -D.

use std::fs;

#[path = "common/place.rs"]
mod place;
use place::{Place, sample, text};

fn message(n: usize) -> String {
    format!("{{\"node\":17,\"t\":{}.{},\"h\":{},\"ok\":true}}", 18 + n % 5, n * 7 % 10, 40 + n % 9)
}

fn messages(count: usize) -> String {
    (0..count).map(|n| message(n) + "\n").collect()
}

#[test]
fn trained_and_used() {
    let place = Place::new();
    place.put("samples", messages(200));
    place.put("one", message(333));
    place.ok(&["--train", "samples", "-1", "-o", "node.smxd"]);
    assert_eq!(place.get("node.smxd").len(), 32512);
    place.ok(&["-D", "node.smxd", "one"]);
    let primed = place.get("one.smx");
    assert!(primed.len() + 15 < place.ok(&["-1c", "one"]).len());
    place.ok(&["-t", "-Dnode.smxd", "one.smx"]);
    fs::remove_file(place.path("one")).unwrap();
    place.ok(&["-d", "--dictionary=node.smxd", "one.smx"]);
    assert_eq!(text(&place.get("one")), message(333));
    // The level is that of the dictionary, and pipes and threads know it too.
    assert_eq!(place.ok(&["-9c", "-D", "node.smxd", "one"]), primed);
    let many = messages(3000);
    for options in [&["-D", "node.smxd"][..], &["-D", "node.smxd", "-T2", "--frame-size=4KiB"]] {
        let code = place.pipe(options, many.as_bytes());
        for threads in ["-T1", "-T2"] {
            let back = place.pipe(&["-d", "-D", "node.smxd", threads], &code);
            assert!(back == many.as_bytes());
        }
    }
    let bench = place.ok(&["-b", "-D", "node.smxd", "one"]);
    assert!(text(&bench).lines().nth(1).unwrap().trim().starts_with("1  32 KiB"));
}

#[test]
fn samples_of_all_kinds() {
    let place = Place::new();
    place.put("a", messages(50));
    place.put("b", messages(30) + "\n\nthe last line does not end");
    fs::create_dir(place.path("d")).unwrap();
    (0..50).for_each(|n| place.put(format!("d/{n:02}"), message(n)));
    place.put("empty", "");
    // Lines or files, if they hold the same; empty ones do not count.
    place.ok(&["-0", "--train", "-o", "lines", "a"]);
    place.ok(&["-0r", "--train-files", "-o", "files", "d", "empty"]);
    assert!(place.get("lines") == place.get("files"));
    assert!(place.pipe(&["-0c", "--train"], &place.get("a")) == place.get("lines"));
    let said = place.run(&["-0v", "--train", "-o", "both", "a", "b"]);
    assert!(text(&said.stderr).contains("81 messages -> a dictionary of 7936 bytes"));
}

#[test]
fn what_training_refuses() {
    let place = Place::new();
    place.put("a", messages(50));
    place.put("empty", "\n\n");
    place.fails(1, &["--train", "-1", "a"], &["needs -o"]);
    place.fails(1, &["--train", "-o", "x", "a"], &["needs a level"]);
    place.fails(1, &["--train", "-1", "-o", "x", "--rm", "a"], &["--rm"]);
    place.fails(1, &["--train", "-1", "-o", "x", "empty"], &["no messages"]);
    place.fails(1, &["--train", "-3", "-M", "64KiB", "-o", "x", "a"], &["the limit is 64 KiB"]);
    place.fails(1, &["--train", "-1", "-o", "x", "a", "gone"], &["gone: cannot open", "no dict"]);
    place.fails(1, &["--train", "-1", "-o", "a", "a"], &["a: is sample and output"]);
    place.fails(1, &["--train", "-1f", "-o", "a", "a"], &["a: is sample and output"]);
    assert_eq!(place.names(), ["a", "empty"]);
    assert_eq!(place.get("a"), messages(50).as_bytes());
    place.put("x", "precious");
    place.fails(1, &["--train", "-1", "-o", "x", "a"], &["x exists already (-f"]);
    assert_eq!(place.get("x"), b"precious");
}

#[test]
fn the_wrong_dictionary() {
    let place = Place::new();
    place.put("a", messages(60));
    place.put("b", messages(50));
    place.put("one", message(5));
    place.ok(&["--train", "-0", "-o", "a.smxd", "a"]);
    place.ok(&["--train", "-0", "-o", "b.smxd", "b"]);
    place.ok(&["-D", "a.smxd", "one"]);
    let id = |name: &str| {
        let id: [u8; 4] = place.get(name)[4..8].try_into().unwrap();
        format!("{:08x}", u32::from_le_bytes(id))
    };
    let (a, b) = (id("a.smxd"), id("b.smxd"));
    let list = place.ok(&["-l", "--json", "-D", "a.smxd", "one.smx"]);
    assert!(String::from_utf8(list).unwrap().contains(&format!("\"dictionary\": \"{a}\"")));
    place.fails(1, &["-dc", "one.smx"], &["needs the dictionary with id", &a, "-D"]);
    place.fails(1, &["-t", "-D", "b.smxd", "one.smx"], &[&a, "not that of -D", &b]);

    place.put("cut", &place.get("a.smxd")[..7000]);
    let mut damaged = place.get("a.smxd");
    damaged[5000] ^= 4;
    place.put("damaged", damaged);
    place.put("other", sample(9000));
    place.put("tiny", "F");
    for (name, words) in [
        ("cut", "damaged"),
        ("damaged", "the dictionary is damaged"),
        ("other", "not a statesmix dictionary"),
        ("one.smx", "not a statesmix dictionary"),
        ("tiny", "not a statesmix dictionary"),
        ("gone", "cannot read"),
    ] {
        place.fails(1, &["-c", "-D", name, "one"], &[name, words]);
    }
    place.ok(&["--train", "-3", "-o", "c.smxd", "a"]);
    place.ok(&["-cD", "c.smxd", "-M", "2MiB", "one"]);
    place.fails(1, &["-cD", "c.smxd", "-M", "900KiB", "one"], &["level 3 needs", "900 KiB"]);
    place.fails(1, &["-tD", "c.smxd", "-M", "900KiB", "one.smx"], &["c.smxd: level 3 with"]);
}

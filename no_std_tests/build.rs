//! Picks the board's linker script, the level of the size builds, and the
//! golden streams to check: `BOARD`, `LEVEL` and `LEVELS` in the environment.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use statesmix::{AnyLevel, Dictionary, Heap, Level, number_words, unpack};

/// The highest level that has a dictionary here; they lie in flash.
const PRIMED: u8 = 3;

/// From this level on a fresh model takes long under emulation: fewer streams.
const SLOW: u8 = 5;

fn main() {
    let home = env::var("CARGO_MANIFEST_DIR").unwrap();
    let var = |name: &str| {
        println!("cargo:rerun-if-env-changed={name}");
        env::var(name).unwrap_or_default()
    };

    let board = var("BOARD");
    if !board.is_empty() {
        println!("cargo:rustc-link-search={home}/boards");
        println!("cargo:rustc-link-arg-bins=-T{board}.x");
        println!("cargo:rerun-if-changed=boards");
    }

    if env::var("TARGET").unwrap().starts_with("wasm32") {
        println!("cargo:rustc-link-arg-bins=--no-entry");
        println!("cargo:rustc-link-arg-bins=--export=start");
    }

    println!("cargo:rustc-check-cfg=cfg(level, values(\"0\", \"1\", \"2\", \"3\"))");
    let level = var("LEVEL");
    println!("cargo:rustc-cfg=level=\"{}\"", if level.is_empty() { "0" } else { &level });

    let golden = Path::new(&home).join("../tests/golden");
    println!("cargo:rerun-if-changed={}", golden.display());
    let mut contents: Vec<_> = fs::read_dir(&golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "content"))
        .collect();
    contents.sort();
    assert!(!contents.is_empty(), "no golden contents");
    let longest = contents.iter().map(|path| fs::metadata(path).unwrap().len()).max().unwrap();

    let levels = var("LEVELS");
    let (first, last) = levels.split_once('-').unwrap_or(("0", "0"));
    let (first, last): (u8, u8) = (first.parse().unwrap(), last.parse().unwrap());
    let any = var("MODEL") == "any";
    let flip = var("FLIP") == "1";
    let mut code = format!(
        "const LONGEST: usize = {longest};\nconst TOP: u8 = {last};\nfn all(check: &mut Check) {{\n"
    );
    for level in first..=last {
        let model = if any { "AnyLevel".into() } else { format!("Level{level}") };
        let all_options = level < SLOW;
        writeln!(code, "check.level::<statesmix::{model}>({level}, {all_options}, &[").unwrap();
        for path in &contents {
            let name = path.file_stem().unwrap().to_str().unwrap();
            if level >= SLOW && name != "text" && name != "records" {
                continue;
            }
            let stream = |extension| {
                let from = golden.join(format!("{name}-{level}.{extension}"));
                let mut bytes = fs::read(&from).unwrap_or_else(|e| panic!("{from:?}: {e}"));
                if flip && name == "records" {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1; // the test has to notice
                }
                let to = Path::new(&env::var("OUT_DIR").unwrap()).join(from.file_name().unwrap());
                fs::write(&to, bytes).unwrap();
                to
            };
            writeln!(
                code,
                "Vector {{ name: {name:?}, content: include_bytes!({path:?}), \
                 frames: include_bytes!({:?}), message: include_bytes!({:?}) }},",
                stream("smx"),
                stream("msg"),
            )
            .unwrap();
        }
        code += "]);\n";
        if level <= PRIMED {
            let made = primed(level, &fs::read(golden.join("text.content")).unwrap());
            writeln!(code, "check.primed::<statesmix::{model}>({level}, {made});").unwrap();
        }
        // The lowest level with numbered words.
        if level == 3 {
            let made = numbered(&golden);
            writeln!(code, "check.numbered::<statesmix::{model}>({level}, {made});").unwrap();
        }
        // The lowest level that packs again, and that can be pretrained.
        if any && level == 6 {
            let made = unpacked(&golden);
            writeln!(code, "check.unpacked::<statesmix::{model}>({level}, {made});").unwrap();
            let (text, frame) = (golden.join("text.content"), golden.join("pretrained-6.smx"));
            let made = format!("include_bytes!({text:?}), include_bytes!({frame:?})");
            writeln!(code, "check.pretrained::<statesmix::{model}>({level}, {made});").unwrap();
        }
    }
    code += "}\n";
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("vectors.rs"), code).unwrap();
}

/// What was packed, unpacked, and its frame; as code.
fn unpacked(golden: &Path) -> String {
    let (packed, frame) = (golden.join("unpacked.packed"), golden.join("unpacked-6.smx"));
    let to = Path::new(&env::var("OUT_DIR").unwrap()).join("unpacked");
    fs::write(&to, unpack(&fs::read(&packed).unwrap(), 1 << 20).unwrap()).unwrap();
    format!("include_bytes!({packed:?}), include_bytes!({to:?}), include_bytes!({frame:?})")
}

/// A text, with its words numbered, and its frame; as code.
fn numbered(golden: &Path) -> String {
    let (text, frame) = (golden.join("numbered.text"), golden.join("numbered-3.smx"));
    let to = Path::new(&env::var("OUT_DIR").unwrap()).join("numbered");
    fs::write(&to, number_words(&fs::read(&text).unwrap())).unwrap();
    format!("include_bytes!({text:?}), include_bytes!({to:?}), include_bytes!({frame:?})")
}

/// A dictionary made of half of the lines, and messages of the others as the host
/// compresses them; both as code.
fn primed(level: u8, content: &[u8]) -> String {
    let lines: Vec<_> = content.split(|&byte| byte == b'\n').collect();
    let (samples, messages) = lines.split_at(lines.len() / 2);
    let level = Level::new(level).unwrap();
    let file = statesmix::train(level, samples.iter().copied()).unwrap();
    let path = Path::new(&env::var("OUT_DIR").unwrap()).join(format!("{level}.smxd"));
    fs::write(&path, &file).unwrap();
    let dictionary = Dictionary::new(&file).unwrap();
    let mut code = format!("include_bytes!({path:?}), &[");
    for message in messages {
        let mut packet = vec![0; message.len() + 3];
        let len = dictionary.compress::<AnyLevel>(Heap::new(), message, &mut packet).unwrap();
        write!(code, "(&{message:?}, &{:?}), ", &packet[..len]).unwrap();
    }
    code + "]"
}

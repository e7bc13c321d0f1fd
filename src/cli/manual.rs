//! What help text and man page say, and both of them as text.

use super::options::{GROUPS, Opt, Takes, all};

const SUMMARY: &str = "compress files where bytes cost more than time";

const USAGE: [(&str, &str); 3] = [
    ("statesmix", ""),
    ("unsmx", "the same as statesmix -d"),
    ("smxcat", "the same as statesmix -dc"),
];

const DESCRIPTION: &str = "\
Compresses each FILE to FILE.smx and keeps FILE. Without FILE, or where FILE is -, it reads \
standard input and writes standard output. Whatever follows -- is a FILE, even if it begins \
with -.";

/// Title and text.
const SECTIONS: &[(&str, &str)] = &[
    (
        "Files",
        "An output appears under its name when it is complete and on the disk; until then it is a \
         temporary file (.statesmix-...) in the same directory, which errors, SIGINT, SIGTERM and \
         SIGHUP remove. No existing file is overwritten without -f. Outputs get mode, owner where \
         permitted, and times of the input. A device or named pipe given to -o is written to as \
         it is.\n\
         \n\
         Compressing skips names that end in .smx; decompressing needs names that do, and takes \
         .smx off; with -c and -o any name will do. Directories are skipped, unless -r is given. \
         So are symbolic links, unless -f is given, and devices and named pipes; -c, -o, -t and \
         -l read all of these, but --rm wants -f for a link. Several .smx files written one after \
         the other make one that decompresses to all of their contents.\n\
         \n\
         The header of a frame states the size of a regular file. Should that change while it is \
         being read, the file is given up with an error.",
    ),
    (
        "Threads",
        "With -T or --frame-size the content is cut into frames of equal size, each with a model \
         of its own that begins anew. They do not depend on the number of threads: -T1, -T8 and \
         --frame-size alone make the same bytes. A frame too small for its level costs ratio, \
         which is why one frame for all is the default.\n\
         \n\
         Each thread takes the memory of the level and the content of a frame; one frame more is \
         read ahead. Such frames state their sizes, so that -d and -t can use as many threads on \
         them. Other frames take one thread, as do those of more than 256 MiB.",
    ),
    (
        "Dictionaries",
        "Small messages hardly compress alone: a model needs some KB to learn from. A dictionary \
         is a model that has learned already, from messages like those to come; some hundred of \
         them will do. It is bound to its level and takes as many bytes as the level has memory. \
         Frames made with -D tell the id of their dictionary and cannot be decompressed without \
         it: keep it as long as them.\n\
         \n\
         With --train the newline that ends a line is not part of the message; empty lines and \
         files are left out. Messages are mixed up, as each will have to do without the one \
         before it. Where they go on as a stream, give the stream to --train-files as one \
         message.",
    ),
    (
        "List",
        "One line for each file: number of frames, highest level, memory to decompress it, sizes \
         in bytes, compressed size divided by uncompressed, checksum (yes, no, or some of the \
         frames), filter (its name, no, or some), the dictionary needed (its id, no, built-in for \
         pretrained frames, which need no file, or some), name. Frames made with -T or \
         --frame-size state their sizes and are passed over; others are decompressed, and thereby \
         tested. Where that needs more than the limit, the line tells the level and the memory \
         that the first too demanding frame asks for, with - for what is not known.\n\
         \n\
         With --json it is an array of objects with the keys file, frames, level, memory, \
         compressed, uncompressed, ratio, check, filter, dictionary, and with -v also frame_list, an array of \
         objects with the same keys. What is not known is null.",
    ),
    (
        "Explain",
        "The page that --explain writes needs nothing but itself. It shows the cost of FILE in \
         bits a byte from its begin to its end at levels 1, 3 and 6 (or the level given instead \
         of 6), the same in regions with their ratios, the regions that cost most and what is in \
         them, how often bytes come again at which distance, and, where FILE looks like records \
         of one length, which of their columns cost how much. All of that is without filter, \
         with pretraining if FILE looks like text.",
    ),
    (
        "Progress",
        "If it takes more than a second and standard error is a terminal, a bar shows how much of \
         the input is done, the content per second, and the time left.",
    ),
    (
        "Exit status",
        "  0  all is well\n\
         \x20 1  an error\n\
         \x20 2  no error, but something to warn of, such as a file skipped",
    ),
    (
        "Environment",
        "STATESMIX_OPT holds options that count before those of the command line, separated by \
         spaces: levels, -T, --frame-size, --no-check, limits, -q and -v. NO_COLOR, if it is not \
         empty, and TERM=dumb turn colours off; there are none where the output is not a \
         terminal.",
    ),
    (
        "Examples",
        "  statesmix -9 log.csv              make log.csv.smx\n\
         \x20 statesmix -d log.csv.smx          make log.csv of it\n\
         \x20 tar c dir | statesmix > dir.tar.smx\n\
         \x20 smxcat dir.tar.smx | tar x\n\
         \x20 tar -c --use-compress-program='statesmix -T0' -f dir.tar.smx dir\n\
         \x20 statesmix -2 -o fw.smx fw.bin     for a device with 128 KiB to spare\n\
         \x20 statesmix -d --memlimit-decompress=128MiB upload.smx\n\
         \x20 statesmix -b1 -e6 log.csv         which level is it to be?\n\
         \x20 statesmix --train -1 -o node.smxd messages.txt\n\
         \x20 statesmix -D node.smxd one.json   -1, and begun with the dictionary",
    ),
];

/// Columns of the help text.
const WIDTH: usize = 80;
/// Where the texts of the options begin in it.
const INDENT: usize = 22;

/// What --help prints.
pub(crate) fn help() -> String {
    let mut out = format!("statesmix - {SUMMARY}\n\n");
    for (i, (name, note)) in USAGE.iter().enumerate() {
        let head = if i == 0 { "Usage:" } else { "" };
        let line = format!("{head:6} {name:9} [OPTION]... [FILE]...    {note}");
        out += line.trim_end();
        out.push('\n');
    }
    out.push('\n');
    out += &wrap(DESCRIPTION, 0);
    for (title, options) in GROUPS {
        out += &format!("\n{title}\n");
        for option in *options {
            let usage = format!("  {}", option.usage());
            let text = wrap(option.help, INDENT);
            // Beside the text if there is room.
            if usage.len() + 1 < INDENT {
                out += &format!("{usage:INDENT$}{}", text.trim_start());
            } else {
                out += &format!("{usage}\n{text}");
            }
        }
    }
    for (title, text) in SECTIONS {
        out += &format!("\n{title}\n{}", wrap(text, 2));
    }
    out
}

/// A paragraph of words, or a line that is to stay as it is.
enum Part<'a> {
    Words(&'a str),
    Kept(&'a str),
    Blank,
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split('\n').map(|line| match line.strip_prefix("  ") {
        Some(kept) => Part::Kept(kept),
        None if line.is_empty() => Part::Blank,
        None => Part::Words(line),
    })
}

/// The text in lines, indented.
fn wrap(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut line = |line: &str| {
        out += format!("{:indent$}{line}", "").trim_end();
        out.push('\n');
    };
    for part in parts(text) {
        match part {
            Part::Blank => line(""),
            Part::Kept(kept) => line(kept),
            Part::Words(words) => {
                let mut filled = String::new();
                for word in words.split(' ') {
                    if !filled.is_empty() && indent + filled.len() + 1 + word.len() > WIDTH {
                        line(&filled);
                        filled.clear();
                    }
                    if !filled.is_empty() {
                        filled.push(' ');
                    }
                    filled += word;
                }
                line(&filled);
            }
        }
    }
    out
}

/// What --generate prints for `what`, which is one of the words it takes.
pub(crate) fn generate(what: &str) -> String {
    match what {
        "bash" => bash(),
        "zsh" => zsh(),
        "fish" => fish(),
        _ => man(),
    }
}

/// The man page, in the macros of man(7).
fn man() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(
        ".TH STATESMIX 1 \"\" \"statesmix {version}\" \"User Commands\"\n\
         .SH NAME\n\
         statesmix, unsmx, smxcat \\- {SUMMARY}\n\
         .SH SYNOPSIS\n"
    );
    for (i, (name, _)) in USAGE.iter().enumerate() {
        let apart = if i == 0 { "" } else { ".br\n" };
        out += &format!("{apart}.B {name}\n[\\fIOPTION\\fR]... [\\fIFILE\\fR]...\n");
    }
    out += &format!(".SH DESCRIPTION\n{}", roff(DESCRIPTION));
    for (name, note) in &USAGE[1..] {
        out += &format!(".PP\n\\fB{name}\\fR is {note}.\n", note = escape(note));
    }
    out += ".SH OPTIONS\n";
    for (title, options) in GROUPS {
        out += &format!(".SS {}\n", escape(title));
        for option in *options {
            out += &format!(".TP\n\\fB{}\\fR\n{}", escape(&option.usage()), roff(option.help));
        }
    }
    for (title, text) in SECTIONS {
        out += &format!(".SH {}\n{}", title.to_uppercase(), roff(text));
    }
    out
}

fn roff(text: &str) -> String {
    let mut out = String::new();
    let mut kept = false;
    for part in parts(text) {
        let keeps = matches!(part, Part::Kept(_));
        if keeps != kept {
            out += if keeps { ".nf\n" } else { ".fi\n" };
            kept = keeps;
        }
        match part {
            Part::Blank => out += ".sp\n",
            Part::Kept(line) => out += &format!("{}\n", escape(line)),
            Part::Words(words) => {
                wrap(words, 0).lines().for_each(|line| out += &format!("{}\n", escape(line)));
            }
        }
    }
    if kept {
        out += ".fi\n";
    }
    out
}

/// Text that is no request and whose dashes are those one types.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}

const PROGRAMS: [&str; 3] = [USAGE[0].0, USAGE[1].0, USAGE[2].0];

/// All names of an option, with their dashes.
fn names(option: &Opt) -> Vec<String> {
    let short = option.short.chars().map(|letter| format!("-{letter}"));
    short.chain(option.long.iter().map(|long| format!("--{long}"))).collect()
}

fn bash() -> String {
    let mut cases = String::new();
    for option in all() {
        let reply = match option.takes {
            Takes::Nothing | Takes::Attached(_) => continue,
            // Nothing of its own: readline completes file names.
            Takes::File => "",
            Takes::Value(_) => "compopt +o default; ",
            Takes::OneOf(words) => {
                &format!("COMPREPLY=($(compgen -W '{}' -- \"$cur\")); ", words.join(" "))
            }
        };
        cases += &format!("        {}) {reply}return ;;\n", names(option).join("|"));
    }
    let words: Vec<_> = all().flat_map(names).collect();
    format!(
        "# bash completion for statesmix\n\
         _statesmix() {{\n\
         \x20   local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}\n\
         \x20   # --option=value is three words to bash.\n\
         \x20   if [ \"$cur\" = = ]; then\n\
         \x20       cur=\n\
         \x20   elif [ \"$prev\" = = ]; then\n\
         \x20       prev=${{COMP_WORDS[COMP_CWORD-2]}}\n\
         \x20   fi\n\
         \x20   COMPREPLY=()\n\
         \x20   case $prev in\n\
         {cases}\
         \x20   esac\n\
         \x20   case $cur in\n\
         \x20       -*) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n\
         \x20   esac\n\
         }}\n\
         complete -o default -F _statesmix {}\n",
        words.join(" "),
        PROGRAMS.join(" "),
    )
}

fn zsh() -> String {
    let mut out = format!("#compdef {}\n_arguments -s -S \\\n", PROGRAMS.join(" "));
    for option in all() {
        let text = quote(&option.summary().replace('[', "\\[").replace(']', "\\]"));
        for name in names(option) {
            let equals = if name.starts_with("--") { "=" } else { "+" };
            let (equals, value) = match option.takes {
                Takes::Nothing => ("", String::new()),
                Takes::Attached(value) if equals == "=" => ("=-", format!("::{value}:")),
                Takes::Attached(value) => ("-", format!("::{value}:")),
                Takes::Value(value) => (equals, format!(":{value}:")),
                Takes::File => (equals, ":file:_files".into()),
                Takes::OneOf(words) => (equals, format!(":what:({})", words.join(" "))),
            };
            out += &format!("    '*{name}{equals}[{text}]{value}' \\\n");
        }
    }
    out + "    '*:file:_files'\n"
}

fn fish() -> String {
    let mut out = String::from("# fish completion for statesmix\n");
    for program in PROGRAMS {
        for option in all() {
            let mut line = format!("complete -c {program}");
            option.short.chars().for_each(|letter| line += &format!(" -s {letter}"));
            option.long.iter().for_each(|long| line += &format!(" -l {long}"));
            line += &match option.takes {
                Takes::Nothing | Takes::Attached(_) => String::new(),
                Takes::Value(_) => " -x".into(),
                Takes::File => " -r -F".into(),
                Takes::OneOf(words) => format!(" -x -a '{}'", words.join(" ")),
            };
            out += &format!("{line} -d '{}'\n", quote(option.summary()));
        }
    }
    out
}

/// Text between single quotes; none of ours has any, so a typographic one will
/// do.
fn quote(text: &str) -> String {
    text.replace('\'', "\u{2019}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_a_terminal() {
        let help = help();
        assert!(help.lines().all(|line| line.len() <= WIDTH && line == line.trim_end()));
        assert!(!help.contains("\n\n\n"));
    }

    #[test]
    fn every_option_is_in_every_text() {
        let texts = [help(), man().replace("\\-", "-"), bash(), zsh()];
        for name in all().filter(|option| option.short.len() < 2).flat_map(names) {
            // The second names of options are for the completions alone.
            let first = all().any(|option| option.usage().contains(&name));
            for text in texts.iter().skip(if first { 0 } else { 2 }) {
                assert!(text.contains(&name), "{name}");
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().flat_map(names).collect();
        let len = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), len);
    }
}

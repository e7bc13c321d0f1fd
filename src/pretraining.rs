//! Pretraining: a text that the model reads before the content.
//!
//! A model that starts from nothing pays for the first kilobytes of every content:
//! it has to see that `e` follows `th`, and a tab a newline. Here it has seen so
//! already. The text is one of many kinds (English prose of several sorts, manuals,
//! mark-up, source code in a dozen languages, logs), written for this purpose and part
//! of the format. The idea is that of paq8px, which can read English words and phrases
//! first.
//!
//! It is stored as a frame of level 4, for it would be the largest part of a program
//! that can do levels 6 to 9.

use crate::level::{Level, Level4, Model};
use crate::repack;
use crate::stream::Decoder;
use crate::words;

/// `pretraining.txt`, compressed.
static TEXT: &[u8] = include_bytes!("pretraining.smx");
/// The level of that frame.
const LEVEL: Level = Level::new(4).unwrap();
/// Bytes of the text.
const LEN: usize = 109_373;
/// So many of them, the first, are all that levels 6 and 7 read, for their speed. The
/// others read the rest before them.
const FIRST: usize = 45_832;

/// Makes `model` a fresh one that has read the text, in zeroed `memory`, with `numbered`
/// words or as it is.
pub(crate) fn pretrain<M: Model>(model: &mut M, level: Level, numbered: bool, memory: &mut [u8]) {
    let len = if level.number() < 8 { FIRST } else { LEN };
    // The model leaves that part of the memory alone; the rest it has not begun to use.
    let begin = memory.len() - repack::area(memory).len();
    let (workspace, area) = memory.split_at_mut(begin);
    let (text, rest) = area.split_at_mut(len);
    decode(&mut workspace[..LEVEL.workspace()], text);

    // Behind it, what is to be read.
    let mut to_read = 0;
    for part in [FIRST..len, 0..FIRST] {
        let put = |byte| {
            rest[to_read] = byte;
            to_read += 1;
        };
        if numbered {
            words::number(&text[part], put);
        } else {
            text[part].iter().copied().for_each(put);
        }
    }
    model.start(level, numbered, memory);
    for i in 0..to_read {
        let byte = memory[begin + len + i];
        (0..8).rev().for_each(|bit| model.update(byte >> bit & 1 == 1, memory));
    }
    model.settle(memory);
    repack::area(memory).fill(0);
}

/// Decodes as much of the text as there is room for, and leaves the workspace zeroed. Apart
/// from [`pretrain`], which is generic and in each crate that uses it.
fn decode(workspace: &mut [u8], text: &mut [u8]) {
    let decoded = Decoder::<_, Level4>::new(LEVEL, &mut *workspace).decode(TEXT, text);
    debug_assert!(decoded.is_ok_and(|progress| progress.produced == text.len()));
    workspace.fill(0);
}

/// Whether the content that begins with `start` seems to be such a text: hardly any
/// control characters, and at least a third is small letters, spaces or beyond ASCII,
/// so that it is not numbers.
pub(crate) fn suits(start: &[u8]) -> bool {
    let start = &start[..start.len().min(4096)];
    let count = |which: fn(u8) -> bool| start.iter().filter(|&&byte| which(byte)).count();
    let control = count(|byte| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31 | 127));
    let words = count(|byte| matches!(byte, b'a'..=b'z' | b' ' | 128..));
    control * 64 <= start.len() && words * 3 > start.len()
}

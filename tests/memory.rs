//! The memory law: level L works in 8 KiB * 4^L, everything included.

use std::mem::size_of;

use statesmix::{
    Decoder, Encoder, Filtered, Level, Level0, Level1, Level2, Level3, Level4, Level5, Level6,
    Level7, Level8, Level9, PacketDecoder, PacketEncoder,
};

#[test]
fn the_law() {
    for number in 0..=9 {
        let level = Level::new(number).unwrap();
        assert_eq!(level.memory(), 8192 << (2 * number));
        assert!(level.workspace() < level.memory());
    }
}

#[test]
fn workspace_and_state_keep_it() {
    macro_rules! check {
        ($($model:ident = $number:literal),*) => {$({
            let level = Level::new($number).unwrap();
            let encoder = level.workspace() + size_of::<Encoder<&mut [u8], Filtered<$model>>>();
            assert!(encoder <= level.memory(), "encoder of level {level}: {encoder}");
            let decoder = level.workspace() + size_of::<Decoder<&mut [u8], Filtered<$model>>>();
            assert!(decoder <= level.memory(), "decoder of level {level}: {decoder}");
            let encoder = level.workspace() + size_of::<PacketEncoder<&mut [u8], $model>>();
            assert!(encoder <= level.memory(), "packet encoder of level {level}: {encoder}");
            let decoder = level.workspace() + size_of::<PacketDecoder<&mut [u8], $model>>();
            assert!(decoder <= level.memory(), "packet decoder of level {level}: {decoder}");
        })*};
    }
    check!(
        Level0 = 0,
        Level1 = 1,
        Level2 = 2,
        Level3 = 3,
        Level4 = 4,
        Level5 = 5,
        Level6 = 6,
        Level7 = 7,
        Level8 = 8,
        Level9 = 9
    );
}

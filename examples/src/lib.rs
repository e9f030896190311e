//! Programs that show communica at work; see the `examples` folder.

#[communica::service]
trait Desk {
    const fn constant(&self) -> u8;
    async unsafe fn dangerous(&self);
    extern "C" fn foreign(&self);
    fn many(&self, first: u8, rest: ...);
}

fn main() {}

//! System calls for Miri, which runs no assembly: through libc, whose functions it knows.

macro_rules! functions {
    ($($name:ident $count:literal: ($($index:literal),*);)*) => { $(
        /// Makes system call `number`.
        ///
        /// # Safety
        /// As on a processor.
        pub unsafe fn $name(number: libc::c_long, args: [usize; $count]) -> isize {
            // SAFETY: the caller guarantees the arguments.
            let value = unsafe { libc::syscall(number, $(args[$index]),*) };
            let _ = args;
            match value {
                // SAFETY: the address of this thread's errno.
                -1 => -(unsafe { *libc::__errno_location() } as isize),
                value => value as isize,
            }
        }
    )* };
}

functions! {
    syscall0 0: ();
    syscall1 1: (0);
    syscall2 2: (0, 1);
    syscall3 3: (0, 1, 2);
    syscall4 4: (0, 1, 2, 3);
    syscall5 5: (0, 1, 2, 3, 4);
    syscall6 6: (0, 1, 2, 3, 4, 5);
}

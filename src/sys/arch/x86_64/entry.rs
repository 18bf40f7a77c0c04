//! The program's first instructions.

/// Defines `entry`, the program's first instruction (linker/build.rs names it), in place of musl's
/// start code. That has 1.3 KiB for thread-local storage and standard I/O, which are unused here.
///
/// It does a dynamic linker's work before any Rust runs. It adds the program's address to every
/// word of `.relr.dyn` (DT_RELR of the ELF specification: an even word is an address, an odd one a
/// bitmap of the next 63 words). It takes the stack protector's secret from AT_RANDOM, and makes
/// PT_GNU_RELRO read-only. Then it sets `environ` and calls `$start` with argc, argv and the result
/// of mprotect(2).
#[macro_export]
macro_rules! entry {
    ($start:path) => {
        /// The program's first instruction.
        ///
        /// # Safety
        /// Only the kernel calls it, on the stack of execve(2): argc, argv, a null pointer, the
        /// environment, a null pointer, the auxiliary vector.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn entry() -> ! {
            core::arch::naked_asm!(
                "xor ebp, ebp",
                "lea rax, [rip + __ehdr_start]",
                // rcx: the next word of .relr.dyn; rdi: the word after the last address.
                "lea rcx, [rip + __relr_start]",
                "lea rdx, [rip + __relr_end]",
                "20: cmp rcx, rdx",
                "jae 30f",
                "mov rsi, [rcx]",
                "add rcx, 8",
                "test sil, 1",
                "jnz 21f",
                "lea rdi, [rax + rsi + 8]",
                "add [rdi - 8], rax",
                "jmp 20b",
                "21: shr rsi, 1",
                "22: bsf r8, rsi",
                "jz 23f",
                "add [rdi + 8 * r8], rax",
                "btr rsi, r8",
                "jmp 22b",
                "23: add rdi, 8 * 63",
                "jmp 20b",
                // rdx: the environment, and the auxiliary vector after its null pointer.
                "30: mov rdi, [rsp]",
                "lea rdx, [rsp + 8 * rdi + 16]",
                "mov [rip + environ], rdx",
                "31: add rdx, 8",
                "cmp qword ptr [rdx - 8], 0",
                "jne 31b",
                "32: mov rcx, [rdx]",
                "jrcxz 40f",
                "add rdx, 16",
                "cmp ecx, {at_random}",
                "jne 32b",
                "mov rcx, [rdx - 8]",
                "mov rcx, [rcx]",
                // One byte is 0, so that an overlong string read cannot reveal the secret.
                "xor ch, ch",
                "mov [rip + __stack_chk_guard], rcx",
                // The program headers follow the ELF header.
                "40: movzx ecx, word ptr [rax + {phnum}]",
                "lea rsi, [rax + {ehdr_bytes} - {phdr_bytes}]",
                "41: add rsi, {phdr_bytes}",
                "cmp dword ptr [rsi], {relro}",
                "loopne 41b",
                "mov edx, 0",
                "jne 50f",
                "mov rdi, [rsi + {vaddr}]",
                "add rdi, rax",
                "mov rsi, [rsi + {memsz}]",
                "add rsi, rdi",
                "and rdi, -4096",
                "and rsi, -4096",
                "sub rsi, rdi",
                "mov edx, {read}",
                "mov eax, {mprotect}",
                "syscall",
                "mov edx, eax",
                "50: mov rdi, [rsp]",
                "lea rsi, [rsp + 8]",
                "and rsp, -16",
                "call {start}",
                "ud2",
                at_random = const libc::AT_RANDOM,
                phnum = const core::mem::offset_of!(libc::Elf64_Ehdr, e_phnum),
                ehdr_bytes = const size_of::<libc::Elf64_Ehdr>(),
                phdr_bytes = const size_of::<libc::Elf64_Phdr>(),
                vaddr = const core::mem::offset_of!(libc::Elf64_Phdr, p_vaddr),
                memsz = const core::mem::offset_of!(libc::Elf64_Phdr, p_memsz),
                relro = const libc::PT_GNU_RELRO,
                read = const libc::PROT_READ,
                mprotect = const $crate::sys::vm::MPROTECT,
                start = sym $start,
            )
        }
    };
}

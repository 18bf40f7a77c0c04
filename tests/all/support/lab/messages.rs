//! Messages of unix sockets with fds.

/// The descriptor that came with a message of a unix socket.
pub fn receive_descriptor(stream: &std::os::unix::net::UnixStream) -> Option<i32> {
    receive_text(stream).1
}

/// A message of a unix socket, and the first descriptor that came with it.
pub fn receive_text(stream: &std::os::unix::net::UnixStream) -> (String, Option<i32>) {
    use std::os::fd::AsRawFd;
    let (mut data, mut control) = ([0_u8; 4096], [0_u64; 32]);
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    // SAFETY: zeros are a message header; what it points to lives until the call returns and is as
    // long as it says.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = u32::try_from(size_of_val(&control)).expect("small");
    // SAFETY: as above.
    let count = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, 0) };
    // SAFETY: the kernel has filled the header in.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    let text = String::from_utf8_lossy(&data[..usize::try_from(count).unwrap_or(0)]).into_owned();
    if count < 0 || header.is_null() {
        return (text, None);
    }
    // SAFETY: it is the first header of the message, and holds at least one descriptor if it is of
    // this type.
    let descriptor = unsafe {
        ((*header).cmsg_type == libc::SCM_RIGHTS)
            .then(|| libc::CMSG_DATA(header).cast::<i32>().read_unaligned())
    };
    (text, descriptor)
}

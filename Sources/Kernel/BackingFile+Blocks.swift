private import CKernel
private import Glibc
public import SystemPackage

/// A backing file as its owner's blocks: what an image format reads and writes of its own, one call
/// at a time.
extension BackingFile {
    /// Reads up to `byteCount` bytes from `offset` on to `address`, which is memory of the
    /// caller's: how many, fewer at the end of the file. Blocks. With O_DIRECT all three are
    /// multiples of the device's block, 512 or 4096.
    public func read(
        at offset: Int64, to address: UInt, byteCount: Int
    ) throws(Errno) -> Int {
        var filled = 0
        while filled < byteCount {
            // SAFETY: the caller's memory has `byteCount` bytes from `address` on.
            let result = unsafe pread(
                descriptor, UnsafeMutableRawPointer(bitPattern: address + UInt(filled)),
                byteCount - filled, Int(offset) + filled)
            if result > 0 {
                filled += result
            } else if result == 0 {
                break
            } else if currentErrno() != .interrupted {
                throw currentErrno()
            }
        }
        return filled
    }

    /// Keeps others from writing to the image in this file until `unlockImage`, or until it is not
    /// open any more: QEMU's programs too, which use the same locks. Throws if somebody has it open
    /// already, to write or so that nobody may; where the file system has no locks there is nothing
    /// to throw.
    public func lockImage() throws(KernelError) {
        let errno = Errno(rawValue: -ck_lock_image(descriptor, 1))
        guard errno == .resourceTemporarilyUnavailable || errno == .permissionDenied else { return }
        throw KernelError(
            "lock", name, errno,
            remedy: "a VM or another program uses the image: end it first, or give each LUN an "
                + "image of its own")
    }

    /// Lets others write to the image again.
    public func unlockImage() { _ = ck_lock_image(descriptor, 0) }

    /// Cuts the file off at `byteCount`, or extends it by a hole. Returns nil, or the error.
    public func resize(to byteCount: Int64) -> Errno? {
        ftruncate(descriptor, Int(byteCount)) == 0 ? nil : currentErrno()
    }

    /// Bytes the regular file has at the moment, nil for a block device.
    public func sizeNow() throws(KernelError) -> Int64? {
        let status = try openFileStatus(descriptor, name)
        return status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : nil
    }
}

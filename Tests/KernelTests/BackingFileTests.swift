import Glibc
import Kernel
import SystemPackage
import Testing

/// Serialized, as open descriptors are counted.
@Suite(.serialized) struct BackingFileTests {
    static let places = [true, false].compactMap { directory(onTmpfs: $0) }

    private func isOpen(_ descriptor: CInt) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }

    private func inode(_ descriptor: CInt) -> (links: UInt, bytes: Int64, blocks: Int64) {
        var information = stat()
        // SAFETY: fills a value on the stack.
        _ = unsafe fstat(descriptor, &information)
        return (
            UInt(information.st_nlink), Int64(information.st_size), Int64(information.st_blocks)
        )
    }

    @Test(arguments: places)
    func anUnnamedFileHasNoNameAndAllItsSpace(_ parent: String) throws {
        let directory = try PrivateDirectory(in: parent)
        defer { directory.remove() }
        let file = try BackingFile(unnamedIn: directory.path, byteCount: 1 << 20)
        #expect(directory.names.isEmpty)
        let inode = inode(file.descriptor)
        #expect(inode.links == 0)
        #expect(inode.bytes == 1 << 20 && inode.blocks * 512 >= 1 << 20)
        #expect(file.byteCount == 1 << 20 && !file.isReadOnly && file.isBlank)
        #expect(fcntl(file.descriptor, F_GETFL) & directFlag != 0)
        #expect(fcntl(file.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test(arguments: places)
    func anUnnamedFileEndsWithItsOwner(_ parent: String) throws {
        var file: BackingFile? = try BackingFile(unnamedIn: parent, byteCount: 1 << 16)
        let descriptor = file?.descriptor ?? -1
        // The same inode through a second descriptor: the file's own must be gone, and only that.
        let other = dup(descriptor)
        defer { close(other) }
        #expect(isOpen(descriptor))
        file = nil
        #expect(!isSameFile(descriptor, other))
        #expect(inode(other).links == 0)
    }

    private func isSameFile(_ first: CInt, _ second: CInt) -> Bool {
        var (one, two) = (stat(), stat())
        // SAFETY: both fill values on the stack.
        guard unsafe fstat(first, &one) == 0, unsafe fstat(second, &two) == 0 else { return false }
        return one.st_ino == two.st_ino && one.st_dev == two.st_dev
    }

    @Test(arguments: places)
    func tooLittleSpaceSaysWhatToDo(_ parent: String) throws {
        let free = try #require(BackingDirectory.freeBytes(in: parent))
        let before = listing("/proc/self/fd").count
        let error = #expect(throws: KernelError.self) {
            _ = try BackingFile(unnamedIn: parent, byteCount: free * 2 + (1 << 34))
        }
        let text = error?.description ?? ""
        #expect(text.contains(parent) && text.contains("--backing-dir"))
        if error?.errno == .noSpace { #expect(text.contains("--lun-size")) }
        // Other suites open and close meanwhile; a leak a hundred times over would show.
        for _ in 0..<100 {
            #expect(throws: KernelError.self) {
                _ = try BackingFile(unnamedIn: parent, byteCount: free * 2 + (1 << 34))
            }
        }
        #expect(listing("/proc/self/fd").count < before + 80)
    }

    @Test func aMissingDirectoryIsNamed() {
        let error = #expect(throws: KernelError.self) {
            _ = try BackingFile(unnamedIn: "/no/such/place", byteCount: 4096)
        }
        #expect(error?.errno == .noSuchFileOrDirectory)
        #expect(error?.description.contains("/no/such/place") == true)
        #expect(error?.description.contains("--backing-dir") == true)
        #expect(BackingDirectory.freeBytes(in: "/no/such/place") == nil)
        #expect(!BackingDirectory.takesDirectIO("/no/such/place"))
        #expect(!BackingDirectory.isTmpfs("/no/such/place"))
    }

    @Test(.enabled(if: geteuid() != 0, "root may write anywhere"))
    func aDirectoryWeMayNotWriteToIsNamed() {
        let error = #expect(throws: KernelError.self) {
            _ = try BackingFile(unnamedIn: "/", byteCount: 4096)
        }
        #expect(error?.errno == .permissionDenied)
        #expect(error?.description.contains("choose a directory you can write to") == true)
    }

    /// /proc makes no files at all, /sys/fs/cgroup and the like neither: no trap, a sentence.
    @Test(arguments: ["/proc", "/sys"])
    func aDirectoryWithoutFilesOfOursIsRefused(_ path: String) {
        let error = #expect(throws: KernelError.self) {
            _ = try BackingFile(unnamedIn: path, byteCount: 4096)
        }
        #expect(error?.description.contains("--backing-dir") == true)
        #expect(!BackingDirectory.takesDirectIO(path))
    }

    // MARK: Existing files

    @Test(arguments: places)
    func anExistingFileIsOpenedAsItIs(_ parent: String) throws {
        let directory = try PrivateDirectory(in: parent)
        let path = directory.path + "/file"
        defer {
            _ = unsafe unlink(path)
            directory.remove()
        }
        close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(unsafe truncate(path, 12_345) == 0)
        for isReadOnly in [true, false] {
            let file = try BackingFile(opening: path, readOnly: isReadOnly)
            #expect(file.byteCount == 12_345 && file.name == path)
            #expect(file.isReadOnly == isReadOnly && !file.isBlank)
            #expect(inode(file.descriptor).bytes == 12_345)
        }
    }

    /// For the cache modes that have the page cache take part.
    @Test(arguments: places)
    func aFileIsOpenThroughThePageCacheIfAsked(_ parent: String) throws {
        let directory = try PrivateDirectory(in: parent)
        let path = directory.path + "/file"
        defer {
            _ = unsafe unlink(path)
            directory.remove()
        }
        close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
        for isDirect in [true, false] {
            for file in [
                try BackingFile(unnamedIn: parent, byteCount: 4096, isDirect: isDirect),
                try BackingFile(opening: path, readOnly: false, isDirect: isDirect),
            ] {
                #expect(file.isDirect == isDirect)
                #expect((fcntl(file.descriptor, F_GETFL) & directFlag != 0) == isDirect)
            }
        }
    }

    @Test func whatIsNeitherFileNorDeviceIsRefused() {
        let error = #expect(throws: KernelError.self) {
            _ = try BackingFile(opening: "/dev/null", readOnly: false)
        }
        #expect(error?.description.contains("/dev/null") == true)
        #expect(throws: KernelError.self) {
            _ = try BackingFile(opening: "/no/such/file", readOnly: true)
        }
    }

    /// /proc has no O_DIRECT.
    @Test func aFileWithoutDirectIOSaysSo() {
        let error = #expect(throws: KernelError.self) {
            _ = try BackingFile(opening: "/proc/self/status", readOnly: true)
        }
        #expect(error?.errno == .invalidArgument)
        #expect(error?.description.contains("O_DIRECT") == true)
    }

    // MARK: Zeroing

    @Test(arguments: places)
    func zeroingGivesZeroesOrSaysItCannot(_ parent: String) throws {
        let file = try BackingFile(unnamedIn: parent, byteCount: 1 << 16)
        #expect(file.zero(offset: 4096, byteCount: 8192, deallocate: true) == nil)
        let error = file.zero(offset: 4096, byteCount: 8192, deallocate: false)
        #expect(error == nil || error == .notSupported)
        #expect(inode(file.descriptor).bytes == 1 << 16)
        #expect(file.dataSync() == nil)
    }
}

/// O_DIRECT, which Glibc shows only to GNU sources; its value is the processor's.
#if arch(arm64) || arch(arm)
let directFlag: CInt = 0o200000
#else
let directFlag: CInt = 0o40000
#endif

@Suite struct KernelErrorTests {
    @Test(arguments: [
        (KernelError("open", "/x", .permissionDenied), "cannot open /x: "),
        (KernelError("create an eventfd", nil, .noMemory), "cannot create an eventfd: "),
    ])
    func saysWhatFailedAndWhy(_ error: KernelError, _ start: String) {
        #expect(error.description == start + "\(error.errno)")
        var helpful = error
        helpful.remedy = "ask again"
        #expect(helpful.description == start + "\(error.errno); ask again")
    }
}

public import Kernel

/// How this room looks at /proc and /sys: `live` outside of tests.
public struct HostFiles: Sendable {
    public var open: TextFileOpener
    public var list: DirectoryLister
    /// Where a symbolic link points.
    public var link: @Sendable (_ path: String) throws(KernelError) -> String
    /// What stat(2) says of a path, links followed.
    public var status: @Sendable (_ path: String) throws(KernelError) -> FileStatus

    /// The room of the file system that a path leads to, links followed.
    public var space: @Sendable (_ path: String) throws(KernelError) -> FileSystemSpace = {
        path throws(KernelError) in try FileSystemSpace(of: path)
    }
    /// How the regular file at a path is kept, links followed.
    public var layout: @Sendable (_ path: String) throws(KernelError) -> FileLayout = {
        path throws(KernelError) in try FileLayout(of: path)
    }

    /// The files of this host.
    public static let live = HostFiles(
        open: openTextFile, list: listDirectory,
        link: { path throws(KernelError) in try linkTarget(path) },
        status: { path throws(KernelError) in try FileStatus(of: path) })

    /// Ways to look at files; rooms and layouts are asked of the kernel unless set otherwise.
    public init(
        open: @escaping TextFileOpener, list: @escaping DirectoryLister,
        link: @escaping @Sendable (_ path: String) throws(KernelError) -> String,
        status: @escaping @Sendable (_ path: String) throws(KernelError) -> FileStatus
    ) {
        self.open = open
        self.list = list
        self.link = link
        self.status = status
    }
}

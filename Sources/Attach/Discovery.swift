public import Host
public import Kernel
internal import ProcFS
internal import Telemetry

/// A QEMU that runs on this host, as /proc has it.
public struct FoundVM: Sendable, Equatable {
    public var pid: Int
    /// `-name`, else the program's name.
    public var name: String
    /// The sockets on which it speaks QMP, from its command line.
    public var qmp: [String]
    /// `kvm`, `tcg`, … where the command line says so.
    public var accelerator: String?
    /// Ids of the disks it was started with.
    public var luns: [String]
}

/// All QEMUs among this host's processes, by ascending process id. Reads nothing but command lines.
/// Throws if /proc cannot be listed.
public func runningVMs(
    open: @escaping TextFileOpener = openTextFile, list: DirectoryLister = listDirectory
) throws(KernelError) -> [FoundVM] {
    try list("/proc").compactMap { Int($0) }.sorted().compactMap { pid in
        guard let arguments = commandLine(ofProcess: pid, open: open), isQEMU(arguments) else {
            return nil
        }
        return FoundVM(pid: pid, arguments: arguments)
    }
}

/// The arguments of process `pid` (/proc/PID/cmdline); `nil` if it is gone or has none.
func commandLine(ofProcess pid: Int, open: TextFileOpener) -> [String]? {
    guard let file = try? open("/proc/\(pid)/cmdline") else { return nil }
    // With a disk in some 300 bytes the longest lines known have a few hundred kilobytes.
    var buffer = [UInt8](repeating: 0, count: 4096)
    while let count = try? file.read(into: &buffer) {
        guard count == buffer.count, count < 4 << 20 else {
            let arguments = CommandLine(buffer.span.extracting(first: min(count, buffer.count)))
            return arguments.arguments.isEmpty ? nil : arguments.arguments
        }
        buffer = [UInt8](repeating: 0, count: buffer.count * 8)
    }
    return nil
}

/// Whether these are the arguments of a system emulator: by the program's name, as distributions
/// and management tools install it.
func isQEMU(_ arguments: [String]) -> Bool {
    guard let program = arguments.first?.split(separator: "/").last else { return false }
    return program.hasPrefix("qemu-system-") || program == "qemu-kvm" || program == "kvm"
}

/// A relative path on the command line of process `pid` as it is for everyone; itself where that
/// process's folder is out of sight.
func absolute(_ address: String, forProcess pid: Int) -> String {
    guard address.contains("/"), !address.hasPrefix("/"),
        let folder = try? linkTarget("/proc/\(pid)/cwd")
    else { return address }
    return folder + "/" + (address.hasPrefix("./") ? String(address.dropFirst(2)) : address)
}

extension FoundVM {
    init(pid: Int, arguments: [String]) {
        let line = QEMUCommandLine(arguments)
        let program = arguments.first?.split(separator: "/").last.map(String.init) ?? "qemu"
        self.init(
            pid: pid, name: clean(line.name ?? program),
            qmp: line.qmpAddresses.map { clean(absolute($0, forProcess: pid)) },
            accelerator: line.accelerator.map(clean), luns: line.luns.map(\.id))
    }
}

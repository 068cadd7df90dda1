import DataPlane
import Host
import Kernel

/// Threads of this process that do a file's requests and are no path's: the pool's of the AIO model
/// `threads`, the kernel's own for io_uring.
struct FileHelpers {
    /// The list of this process's threads; `nil` where no LUN has such helpers.
    private var list: TaskList?
    /// What the kernel calls its threads, before the id of the one they work for.
    private static let kernelPrefix = "iou-wrk-"
    /// Names of pools' threads, which are their LUNs', in the order of the LUNs.
    private let poolNames: [String]

    /// The helpers of an engine with `luns`.
    init(_ luns: [LUNConfiguration]) {
        let hasAny = luns.contains { lun in
            if case .file(_, let access) = lun.backend { access.model != .aio } else { false }
        }
        list = hasAny ? TaskList(pid: Process.id) : nil
        poolNames = luns.map { lun in
            // As the kernel keeps names: 15 bytes.
            String(decoding: WorkerPool.name(lun.id).utf8.prefix(15), as: UTF8.self)
        }
    }

    /// Those there are now; they come when there is work for them.
    mutating func update() -> [TaskList.Task] {
        guard (try? list?.update()) != nil else { return [] }
        let prefixes = [WorkerPool.name(""), Self.kernelPrefix]
        return list?.tasks.filter { task in prefixes.contains { task.name.hasPrefix($0) } } ?? []
    }

    /// The numbers of the LUNs that `task` works for, as far as its name tells; the kernel names
    /// its threads after the one they work for, of `threads`.
    func luns(of task: TaskList.Task, among threads: [Engine.ThreadInfo]) -> [Int] {
        if let lun = poolNames.firstIndex(of: task.name) { return [lun] }
        guard task.name.hasPrefix(Self.kernelPrefix),
            let submitter = Int(task.name.dropFirst(Self.kernelPrefix.count))
        else { return [] }
        return threads.first { $0.tid == submitter }?.luns ?? []
    }
}

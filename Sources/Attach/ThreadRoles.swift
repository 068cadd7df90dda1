import Host
import Telemetry

/// What the threads of a QEMU are for: what QMP says of them, else what they call themselves.
struct ThreadRoles: Sendable, Equatable {
    /// Number of the vCPU each thread runs (QMP `query-cpus-fast`).
    var vcpus: [Int: Int] = [:]
    /// Id of the IOThread each thread is (QMP `query-iothreads`).
    var ioThreads: [Int: String] = [:]

    /// The role and name of the thread `tid` of process `pid`, which calls itself `name`.
    ///
    /// Without `-name …,debug-threads=on` every thread is called after the program: only QMP tells
    /// them apart then.
    func watched(tid: Int, calledBy name: String, pid: Int, luns: [LUN]) -> WatchedThread {
        if let number = vcpus[tid] {
            let named = name.hasPrefix("CPU ") ? name : "CPU \(number)"
            return WatchedThread(tid: tid, role: .vcpu, name: named)
        }
        if let id = ioThreads[tid] {
            return WatchedThread(
                tid: tid, role: .iothread, name: "IO \(id)", luns: Self.luns(of: id, among: luns))
        }
        if tid == pid {
            return WatchedThread(
                tid: tid, role: .main, name: "main loop", luns: Self.luns(of: nil, among: luns))
        }
        return Self.watched(tid: tid, callingItself: name, luns: luns)
    }

    private static func watched(tid: Int, callingItself name: String, luns: [LUN]) -> WatchedThread
    {
        // The monitor's own IOThread serves no disk.
        if name == "IO mon_iothread" { return WatchedThread(tid: tid, role: .other, name: name) }
        // The threads of vblktop's own engine.
        if name.hasPrefix("vcpu") { return WatchedThread(tid: tid, role: .vcpu, name: name) }
        if name.hasPrefix("io ") {
            return WatchedThread(
                tid: tid, role: .device, name: name, luns: Self.luns(of: name, among: luns))
        }
        if name.hasPrefix("CPU ") { return WatchedThread(tid: tid, role: .vcpu, name: name) }
        if name.hasPrefix("IO ") {
            let id = String(name.dropFirst(3))
            return WatchedThread(
                tid: tid, role: .iothread, name: name, luns: Self.luns(of: id, among: luns))
        }
        let isWorker = ["worker", "iou-", "vhost-"].contains { name.hasPrefix($0) }
        return WatchedThread(tid: tid, role: isWorker ? .worker : .other, name: name)
    }

    /// Ids of the disks that the IOThread `id` serves, or for `nil` the main loop.
    private static func luns(of id: String?, among luns: [LUN]) -> [String] {
        luns.filter { lun in
            guard let id else { return lun.isOnMainLoop == true }
            return lun.ioThread?.split(separator: ",").contains { $0 == id } ?? false
        }.map(\.id)
    }
}

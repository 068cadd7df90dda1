import Host
import Kernel
import Telemetry
import Testing

@Suite struct TaskListTests {
    private let host = FakeHost()

    private func setTasks(_ tids: [Int]) {
        host.setDirectory("/proc/1/task", tids.map(String.init))
    }

    private func update(_ list: inout TaskList) throws -> [Int] {
        _ = try list.update()
        return list.tasks.map(\.tid)
    }

    @Test func threadsComeAndGo() throws {
        [9, 10, 11].forEach { host.proc.setThread($0) }
        setTasks([10, 9])
        var list = TaskList(pid: 1, open: host.files.open, list: host.files.list)
        #expect(try list.update())
        #expect(list.tasks.map(\.tid) == [9, 10])
        #expect(list.tasks.map(\.name) == ["thread 9", "thread 10"])
        #expect(list.tasks.map(\.startTime) == [7, 7])
        #expect(try !list.update())
        setTasks([9, 11])
        #expect(try list.update())
        #expect(list.tasks.map(\.tid) == [9, 11])
    }

    @Test func onlyNewThreadsAreRead() throws {
        [9, 10].forEach { host.proc.setThread($0) }
        setTasks([9, 10])
        var list = TaskList(pid: 1, open: host.files.open, list: host.files.list)
        for _ in 0..<5 { _ = try list.update() }
        #expect(host.proc.openCount("/proc/1/task/9/stat") == 2)
    }

    @Test func aThreadThatEndsWhileItIsReadIsLeftOut() throws {
        host.proc.setThread(9)
        setTasks([9, 10])
        var list = TaskList(pid: 1, open: host.files.open, list: host.files.list)
        #expect(try update(&list) == [9])
    }

    @Test func aProcessThatEnded() {
        var list = TaskList(pid: 1, open: host.files.open, list: host.files.list)
        #expect(throws: KernelError.self) { try list.update() }
    }
}

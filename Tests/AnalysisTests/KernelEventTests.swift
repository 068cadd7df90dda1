import Analysis
import Foundation
import Telemetry
import Testing

@Test func kernelEventsAreCountedByName() throws {
    var options = Report.Options()
    options.to = 3000
    var report = Report(options)
    func event(_ time: Nanoseconds, _ name: String) -> KernelEvent {
        KernelEvent(monotonic: time, name: name, tid: 1, cpu: 0)
    }
    report.add([event(1000, "kvm:kvm_exit"), event(2000, "sched:\u{1B}[31m")])
    report.add([event(3000, "kvm:kvm_exit"), event(3001, "kvm:kvm_exit")])
    let result = report.finish()
    #expect(result.kernelEvents.map(\.name) == ["kvm:kvm_exit", "sched:\u{1B}[31m"])
    #expect(result.kernelEvents.map(\.count) == [2, 1])
    let text = result.text()
    #expect(text.contains("         2  kvm:kvm_exit\n") && !text.contains("\u{1B}"))
    let json = String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
    #expect(json.contains("\"kernel_events\":[{"))
}

@Test func manyNamesOfEventsTakeNoMoreMemory() {
    var report = Report()
    report.add((0..<5000).map { KernelEvent(monotonic: 1, name: "n\($0)", tid: 1, cpu: 0) })
    let result = report.finish()
    #expect(result.kernelEvents.count == 1001)
    #expect(result.kernelEvents.first.map { $0.name == "other" && $0.count == 4000 } == true)
}

import Virtio

/// libFuzzer's entry: the bytes decode to a list of accesses to ports, writes to memory, and
/// requests done. Memory is mapped once and cleared for every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(UnsafeBufferPointer(start: start, count: count))
    guard let memory else { fatalError("no memory for the fuzzer") }
    memory.clear()
    var machine = FuzzMachine(&input, memory: memory)
    while !input.isOver { machine.step(&input) }
    machine.finish()
    return 0
}

private let memory = try? FuzzMemory()

import Virtio

/// libFuzzer's entry: the bytes decode to command requests, laid out anywhere and in any pieces.
/// Memory is mapped once and cleared for every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(UnsafeBufferPointer(start: start, count: count))
    guard let memory else { fatalError("no memory for the fuzzer") }
    memory.clear()
    do {
        var target = try FuzzTarget(&input, memory: memory)
        while !input.isOver { target.step(&input) }
    } catch {
        fatalError("the ring was refused")
    }
    return 0
}

private let memory = try? FuzzMemory()

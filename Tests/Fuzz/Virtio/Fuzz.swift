import Virtio

/// libFuzzer's entry: the first byte chooses the end of the queue, the rest decodes to a list of
/// ring writes and calls. Memory is mapped once and cleared for every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = unsafe FuzzInput(UnsafeBufferPointer(start: start, count: count))
    guard let memory else { fatalError("no memory for the fuzzer") }
    memory.clear()
    do {
        if input.byte() & 3 == 3 {
            var driver = try FuzzDriver(&input, memory: memory)
            driver.run(&input)
        } else {
            var device = try FuzzDevice(&input, memory: memory)
            device.run(&input)
        }
    } catch {
        fatalError("the ring was refused")
    }
    return 0
}

private let memory = try? FuzzMemory()

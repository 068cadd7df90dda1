import Rings

/// libFuzzer's entry: after a zero byte comes the text of a notice, else the bytes decode to queues
/// and a list of ring writes, looks and questions. The same bytes must come to the same twice.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe UnsafeBufferPointer(start: start, count: count)
    guard let memory else { fatalError("no memory for the fuzzer") }
    do {
        if unsafe bytes.first == 0 {
            try fuzzNotice(unsafe String(decoding: bytes.dropFirst(), as: UTF8.self))
            return 0
        }
        var first = try unsafe FuzzRings(FuzzInput(bytes), memory: memory)
        first.run()
        var second = try unsafe FuzzRings(FuzzInput(bytes), memory: memory)
        second.run()
        require(first.story == second.story, "the same bytes came to something else")
    } catch {
        fatalError("memory for the observer was refused")
    }
    return 0
}

private let memory = try? FuzzMemory()

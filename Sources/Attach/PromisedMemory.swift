/// The RAM that a QEMU was told to give its guest (`-m`), bytes; `nil` if `arguments` do not start
/// a QEMU, or say it in a way that is not understood.
///
/// It is what the VM has at most while nothing is plugged in: a balloon may have taken some back.
@Sendable public func promisedMemory(_ arguments: [String]) -> UInt64? {
    guard isQEMU(arguments) else { return nil }
    // QEMU's own default.
    guard let text = QEMUCommandLine(arguments).memory else { return 128 << 20 }
    return byteCount(text, unit: 1 << 20)
}

/// A size in QEMU's words: `4G`, `1.5g`, `4194304k`; a number alone is in `unit` bytes.
func byteCount(_ text: String, unit: UInt64) -> UInt64? {
    let units: [String: UInt64] = [
        "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60,
    ]
    let suffix = text.last.flatMap { units[$0.lowercased()] }
    let digits = suffix == nil ? text[...] : text.dropLast()
    guard digits.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }),
        let number = Double(digits)
    else { return nil }
    return UInt64(exactly: (number * Double(suffix ?? unit)).rounded())
}

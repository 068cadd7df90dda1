import Testing

@testable import Attach

@Suite struct PromisedMemoryTests {
    @Test(arguments: [
        ("4G", 4 << 30), ("2048", 2048 << 20), ("size=4194304k,slots=4,maxmem=64G", 4 << 30),
        ("1.5g", 3 << 29), ("512M", 512 << 20), ("0.25T", 1 << 38),
    ])
    func whatTheCommandLineSays(_ memory: String, _ bytes: Int) {
        let arguments = ["/usr/bin/qemu-system-x86_64", "-m", memory, "-smp", "4"]
        #expect(promisedMemory(arguments) == UInt64(bytes))
    }

    @Test func withoutAWordItIsTheDefault() {
        #expect(promisedMemory(["qemu-kvm", "-nodefaults"]) == 128 << 20)
    }

    @Test(arguments: ["", "G", "4Gi", "-4G", "4 G", "1e9", "99999999999999999999E", "\u{130}"])
    func whatIsNoSizeIsNotTakenForOne(_ memory: String) {
        #expect(promisedMemory(["qemu-system-x86_64", "-m", memory]) == nil)
    }

    @Test func otherProgramsAreNoVMs() {
        #expect(promisedMemory(["/usr/bin/qemu-img", "-m", "4G"]) == nil)
        #expect(promisedMemory([]) == nil)
    }
}

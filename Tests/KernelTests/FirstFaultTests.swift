import Kernel
import Testing

@Suite struct FirstFaultTests {
    @Test func whatCameFirstIsKept() {
        let fault = FirstFault()
        #expect(fault.description == nil)
        fault.note("no space")
        fault.note("no luck")
        #expect(fault.description == "no space")
    }

    @Test func whatIsNotWantedIsNotPutIntoWords() {
        let fault = FirstFault()
        var words = 0
        func text() -> String {
            words += 1
            return "words"
        }
        for _ in 0..<3 { fault.note(text()) }
        #expect(words == 1)
    }
}

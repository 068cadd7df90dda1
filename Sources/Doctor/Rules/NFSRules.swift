extension Rule {
    static let nfsRules: [Rule] = []
}

// SPDX-License-Identifier: MIT

import Glibc
import Spawn

/// The three pipes between this process and a child.
struct Pipes {
    /// Nothing is ever written to it: its end tells the child that it is to stop, or that this process is gone.
    let input: DescriptorPair
    let output: DescriptorPair
    let error: DescriptorPair

    init() throws(SpawnError) {
        let input = try DescriptorPair.pipe()
        do throws(SpawnError) {
            let output = try DescriptorPair.pipe()
            do throws(SpawnError) {
                error = try DescriptorPair.pipe()
            } catch {
                output.close()
                throw error
            }
            self.output = output
        } catch {
            input.close()
            throw error
        }
        self.input = input
    }

    /// Closes what the child has its own copies of.
    func closeChildEnds() {
        close(input.readEnd)
        close(output.writeEnd)
        close(error.writeEnd)
    }

    /// Closes what this process would have kept.
    func closeOwnEnds() {
        close(input.writeEnd)
        close(output.readEnd)
        close(error.readEnd)
    }
}

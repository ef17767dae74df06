// SPDX-License-Identifier: MIT

enum Placeholder {}

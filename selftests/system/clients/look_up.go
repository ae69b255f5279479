// SPDX-License-Identifier: GPL-2.0-only

// Prints the addresses of the name in its argument, as Go's own resolver gives them.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func main() {
	resolver := net.Resolver{PreferGo: true}
	found, err := resolver.LookupHost(context.Background(), os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, address := range found {
		fmt.Println(address)
	}
}

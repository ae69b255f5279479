// SPDX-License-Identifier: GPL-2.0-only

// Go's crypto/tls as client, through net/http or by itself. Compiles with Go
// 1.15 and later, from the standard library alone.
//
// Environment: the contract of selftests/runtimes (TEST_ADDRESS and so on), and
//
//	TEST_MODE	http (net/http, the default), raw (a bare tls.Conn), or deep:
//			the same, each write from a new goroutine whose stack is
//			more and more filled, so that some have to enlarge it
//	TEST_PADDING	bytes of a header in front of the secret, none by default
//	TEST_WAIT	if set: print "ready" at the end, and wait for a line
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/ioutil"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const limit = 60 * time.Second

var (
	address  = net.JoinHostPort(os.Getenv("TEST_ADDRESS"), os.Getenv("TEST_PORT"))
	name     = os.Getenv("TEST_NAME")
	key      = os.Getenv("API_KEY")
	requests = number("TEST_REQUESTS", 1)
	padding  = strings.Repeat("p", number("TEST_PADDING", 0))
)

func number(variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		fail(err)
	}
	return value
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func settings() *tls.Config {
	pem, err := ioutil.ReadFile(os.Getenv("TEST_CA"))
	if err != nil {
		fail(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		fail(errors.New("no certificate in TEST_CA"))
	}
	return &tls.Config{RootCAs: roots, ServerName: name}
}

func dial(config *tls.Config) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", address, config)
}

func checked(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err = io.Copy(ioutil.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func viaHTTP(config *tls.Config, connection int) error {
	transport := &http.Transport{
		DialTLS:         func(_, _ string) (net.Conn, error) { return dial(config) },
		MaxConnsPerHost: 1,
		TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: limit}
	for i := 0; i < requests; i++ {
		request, err := http.NewRequest("GET",
			fmt.Sprintf("https://%s/%d/%d", name, connection, i), nil)
		if err != nil {
			return err
		}
		if padding != "" {
			request.Header.Set("X-A-Padding", padding)
		}
		request.Header.Set("X-Api-Key", key)
		if err := checked(client.Do(request)); err != nil {
			return err
		}
	}
	return nil
}

// Each turn is a small frame on the stack.
//
//go:noinline
func descend(depth int, write func() error) error {
	if depth == 0 {
		return write()
	}
	return descend(depth-1, write)
}

type deepConn struct {
	net.Conn
	depth int
}

func (conn *deepConn) Write(data []byte) (int, error) {
	done := make(chan error)
	conn.depth++
	go func() {
		done <- descend(conn.depth, func() error {
			_, err := conn.Conn.Write(data)
			return err
		})
	}()
	return len(data), <-done
}

func raw(config *tls.Config, connection int) error {
	conn, err := dial(config)
	if err != nil {
		return err
	}
	if os.Getenv("TEST_MODE") == "deep" {
		conn = &deepConn{Conn: conn}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	from := bufio.NewReader(conn)
	for i := 0; i < requests; i++ {
		_, err = fmt.Fprintf(conn, "GET /%d/%d HTTP/1.1\r\nHost: %s\r\nX-A-Padding: %s\r\n"+
			"X-Api-Key: %s\r\n\r\n", connection, i, name, padding, key)
		if err == nil {
			err = checked(http.ReadResponse(from, nil))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func main() {
	config := settings()
	connections := number("TEST_CONNECTIONS", 1)
	threads := number("TEST_THREADS", 1)
	use := viaHTTP
	if mode := os.Getenv("TEST_MODE"); mode == "raw" || mode == "deep" {
		use = raw
	}
	var group sync.WaitGroup
	for thread := 0; thread < threads; thread++ {
		group.Add(1)
		go func(first int) {
			defer group.Done()
			for i := first; i < connections; i += threads {
				if err := use(config, i); err != nil {
					fail(fmt.Errorf("connection %d: %v", i, err))
				}
			}
		}(thread)
	}
	group.Wait()
	if os.Getenv("TEST_WAIT") != "" {
		fmt.Println("ready")
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
}

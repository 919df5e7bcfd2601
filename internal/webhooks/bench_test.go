package webhooks

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
)

// fast is the address of a receiver that answers at once and does nothing else, so that what is measured is the sender.
func fast(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	return "http://" + listener.Addr().String()
}

func answer(c net.Conn) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 64<<10)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
			return
		}
	}
}

func BenchmarkSend(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "10KiB": 10 << 10} {
		b.Run(name, func(b *testing.B) {
			s, e, i := sender(b, nil), endpointAt(fast(b)), item()
			i.Event.Payload = append(append([]byte(`"`), bytes.Repeat([]byte("x"), size)...), '"')
			b.SetParallelism(25) // times GOMAXPROCS requests at once
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if o := s.Send(b.Context(), e, i); !o.Delivered {
						b.Error(o)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
		})
	}
}

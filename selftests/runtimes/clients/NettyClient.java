// SPDX-License-Identifier: GPL-2.0-only
// Netty as client, with TLS by OpenSSL through netty-tcnative (JNI). Environment: the
// contract of selftests/runtimes (Documentation/testing.md). Says with --version which
// library it has got, or why none.

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

public class NettyClient {
	static final String address = System.getenv("TEST_ADDRESS");
	static final String name = System.getenv("TEST_NAME");
	static final String key = System.getenv("API_KEY");
	static final int connections = number("TEST_CONNECTIONS");
	static final int requests = number("TEST_REQUESTS");
	static final int threads = number("TEST_THREADS");

	static int number(String variable) {
		String text = System.getenv(variable);
		return text == null ? 1 : Integer.parseInt(text);
	}

	static class Requests extends SimpleChannelInboundHandler<FullHttpResponse> {
		final int connection;
		final CompletableFuture<Void> done;
		int answered;

		Requests(int connection, CompletableFuture<Void> done) {
			this.connection = connection;
			this.done = done;
		}

		void send(Channel channel) {
			DefaultFullHttpRequest request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1,
				HttpMethod.GET, "/" + connection + "/" + answered, Unpooled.EMPTY_BUFFER);
			request.headers().set("Host", name).set("X-Api-Key", key);
			channel.writeAndFlush(request);
		}

		@Override
		public void channelActive(ChannelHandlerContext context) {
			send(context.channel());
		}

		@Override
		protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
			if (response.status().code() != 200) {
				exceptionCaught(context, new Exception("status " + response.status()));
			} else if (++answered < requests) {
				send(context.channel());
			} else {
				done.complete(null);
				context.close();
			}
		}

		@Override
		public void channelInactive(ChannelHandlerContext context) {
			done.completeExceptionally(new Exception("the connection was closed"));
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
			done.completeExceptionally(cause);
			context.close();
		}
	}

	static CompletableFuture<Void> serve(EventLoopGroup group, SslContext tls, int connection,
			int port) {
		CompletableFuture<Void> done = new CompletableFuture<>();
		new Bootstrap().group(group).channel(NioSocketChannel.class)
			.handler(new ChannelInitializer<SocketChannel>() {
				@Override
				protected void initChannel(SocketChannel channel) {
					channel.pipeline().addLast(
						tls.newHandler(channel.alloc(), name, port),
						new HttpClientCodec(), new HttpObjectAggregator(1 << 16),
						new Requests(connection, done));
				}
			}).connect(address, port).addListener(future -> {
				if (!future.isSuccess())
					done.completeExceptionally(future.cause());
			});
		return done;
	}

	public static void main(String[] arguments) throws Exception {
		if (!OpenSsl.isAvailable()) {
			Throwable cause = OpenSsl.unavailabilityCause();
			while (cause.getCause() != null)
				cause = cause.getCause();
			System.err.println("netty-tcnative: " + cause.getMessage());
			System.exit(1);
		}
		if (arguments.length > 0) {
			System.out.println("Java " + System.getProperty("java.version") + "|"
				+ OpenSsl.versionString());
			return;
		}
		int port = number("TEST_PORT");
		// By default Netty 4.1.48 offers neither TLS 1.3 nor ChaCha20.
		SslContext tls = SslContextBuilder.forClient().sslProvider(SslProvider.OPENSSL)
			.protocols("TLSv1.2", "TLSv1.3").ciphers(OpenSsl.availableOpenSslCipherSuites())
			.trustManager(new File(System.getenv("TEST_CA"))).build();
		EventLoopGroup group = new NioEventLoopGroup(threads);
		List<CompletableFuture<Void>> all = new ArrayList<>();
		for (int connection = 0; connection < connections; connection++)
			all.add(serve(group, tls, connection, port));
		try {
			for (CompletableFuture<Void> one : all)
				one.get();
		} catch (Exception failure) {
			System.err.println(failure.getMessage());
			System.exit(1);
		}
		System.exit(0);
	}
}

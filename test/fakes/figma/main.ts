/** A Figma REST API in memory: see vendor.ts. Further commands: PUT version, PUT image. */
import { serveVendor } from '../vendor.ts';
import { faults } from './fault.ts';
import { serveImage } from './images.ts';
import { failed } from './reply.ts';
import { answer } from './routes.ts';
import { createState } from './state.ts';

const state = createState();

serveVendor({
  faults,
  answer(call) {
    if (call.path.startsWith('/_images/')) return serveImage(call);
    return call.headers['x-figma-token'] === state.token ? answer(state, call) : failed(403, 'Invalid token');
  },
  control(command, body) {
    // Somebody changes a file.
    if (command === 'PUT version') {
      const { fileKey } = body as { fileKey: string };
      state.files.get(fileKey)!.version += 1;
    }
    // The image of a node or ref is from now on elsewhere.
    if (command === 'PUT image') {
      const { of, url } = body as { of: string; url: string };
      state.images.set(of, url);
    }
    return null;
  },
});
